"""Several banks of one fingerprint into one: what a job array or a colleague produced."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.bank import Bank
from features.commit import commit, log
from features.errors import CorruptSegment, InputError
from features.format import segment_name
from features.image import Extent, Image
from features.lock import committing
from features.manifest import refuse_other_setup
from features.rows import Rows, segment_image
from features.segment import Segment


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
        When a bank was made by another encoder or set-up; nothing was written.
    CorruptSegment, CommitError
    """
    banks = [Bank.open(source) for source in sources]
    if not banks:
        raise InputError("merge needs at least one bank to take from")
    for bank in banks:
        refuse_other_setup(bank.path, bank.setup, banks[0].setup)
        if bank.path == Path(into).absolute():
            raise InputError(f"{bank.path} is both a bank to take from and the one to add to")
    target = Bank.create(into, banks[0].setup, banks[0].source)
    added = 0
    for bank in banks:
        for segment in bank.segments:
            added += _add(target, segment)
    return added


def _add(target: Bank, segment: Segment) -> int:
    new = np.flatnonzero(~target.contains_keys(segment.keys))
    if not len(new):
        return 0
    segment.check()
    if len(new) == segment.n:
        image, name = _copy(segment), segment.path.name
    else:
        rows = Rows(
            keys=segment.keys[new],
            n_tokens=segment.n_tokens[new],
            truncated=segment.truncated[new].astype(bool),
            blocks={block: segment.block(block)[new] for block in segment.blocks},
        )
        image, name = segment_image(rows, target.fingerprint, {"merged": segment.provenance}), ""
    made = segment.path.name.split("-")[1]
    with committing(target.path):
        path = commit(target.path, image, lambda sha256: name or segment_name(sha256, made))
        log(target.path, "commit", path.name, len(new))
    target.refresh()
    return len(new)


def _copy(segment: Segment) -> Image:
    """A segment's bytes, once they are known to be those that its name promises."""
    with segment.path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if hashlib.sha256(data).hexdigest()[:16] not in segment.path.name:
        raise CorruptSegment(f"{segment.path} is not what was written: run `layerbank verify`",
                             segment.path)  # fmt: skip
    return Image(len(data), [Extent(0, len(data), [data])])
