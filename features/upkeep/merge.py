"""Several banks of one fingerprint into one: what a job array or a colleague produced."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank, is_bank
from features.disk.atomic import sweep
from features.disk.commit import commit, committing
from features.disk.format import MANIFEST, segment_name
from features.disk.image import Extent, Image, segment_image
from features.disk.index import KeyIndex
from features.disk.journal import note
from features.disk.manifest import refuse_other_setup
from features.disk.notes import is_noted, note_file
from features.disk.segment import TOKENS, Segment
from features.disk.snapshot import all_keys
from features.errors import CorruptSegment, FingerprintMismatch, InputError
from features.paths import as_path, as_paths
from features.upkeep.part import part_of


def merge(sources: Sequence[str | Path], into: str | Path) -> int:
    """Add to one bank what others hold and it lacks; the others stay as they are.

    A segment that is wholly new is copied byte for byte; of one that is partly there, the new
    rows are written. Called again after a kill, it goes on where it stopped.

    Parameters
    ----------
    sources
        Banks of one fingerprint.
    into
        A bank of that fingerprint, or a folder to make one in.

    Returns
    -------
    Rows added.

    Raises
    ------
    FingerprintMismatch
        When a bank was made by another encoder or set-up, or by a tokenizer that gives other
        tokens; nothing was written.
    CorruptSegment, CommitError
    """
    banks = [Bank.open(source) for source in as_paths(sources)]
    if not banks:
        raise InputError("merge needs at least one bank to take from")
    for bank in banks:
        refuse_other_setup(bank.path, bank.setup, banks[0].setup)
        if bank.path.resolve() == as_path(into).resolve():
            raise InputError(f"{bank.path} is both a bank to take from and the one to add to")
    _refuse_other_tokens([*banks, *([Bank.open(into)] if is_bank(into) else [])])
    target = Bank.create(into, banks[0].setup, banks[0].source)
    if target.source == banks[0].source and is_noted(banks[0].path / MANIFEST):
        note_file(target.path / MANIFEST)
    sweep(target.path)
    segments = [segment for bank in banks for segment in bank.segments]
    keys = all_keys(segments)
    new = KeyIndex.over(keys).firsts() & ~target.contains_keys(keys)
    del keys  # gigabytes, where there are many
    start = 0
    for segment in segments:
        _add(target, segment, np.flatnonzero(new[start : start + segment.n]))
        start += segment.n
        segment.forget()
    target.refresh()  # keeps a new index where one is due
    return int(new.sum())


def _refuse_other_tokens(banks: Sequence[Bank]) -> None:
    """FingerprintMismatch when tokenizers wrote them that give other tokens for one text."""
    first: tuple[Bank, object] | None = None
    for bank in banks:
        made = bank.tokenised_by()
        if made is None:
            continue
        if first is None:
            first = bank, made[TOKENS]
        elif first[1] != made[TOKENS]:
            raise FingerprintMismatch(
                f"{first[0].path} and {bank.path} were written by tokenizers that give other "
                "tokens for one text, as two versions of transformers may: extract one anew",
                [TOKENS],
            )


def _add(target: Bank, segment: Segment, new: NDArray[np.int64]) -> None:
    if not len(new):
        return
    if len(new) == segment.n:
        image, name = _copy(segment), segment.path.name
    else:
        rows = part_of(segment, new)
        image, name = segment_image(rows, target.manifest, segment.provenance), ""
    made = segment.path.name.split("-")[1]
    with committing(target.path):
        path = commit(target.path, image, lambda sha256: name or segment_name(sha256, made))
        note(target.path, "commit", path.name, len(new))


def _copy(segment: Segment) -> Image:
    """A segment's bytes, once they are known to be those that its name promises."""
    data = segment.bytes()
    if hashlib.sha256(data).hexdigest()[:16] != segment.path.stem[-16:]:
        raise CorruptSegment(
            f"{segment.path} is not what was written: run `layerbank verify {segment.path.parent}`",
            segment.path,
        )
    return Image(len(data), [Extent(0, len(data), [data])])
