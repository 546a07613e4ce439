"""Fewer, larger segments; each key once. Safe to kill at any step.

New segments are committed before the old ones move to ``retired/``, where readers that still
have their names find them for a day. Between the two a key stands twice, which is allowed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.blocks import bank_blocks
from features.commit import commit, log, sweep, sync_folder
from features.errors import CommitError
from features.format import RETIRED, segment_name
from features.index import INDEX, KeyIndex
from features.lock import rearranging, swapping
from features.manifest import read_manifest
from features.rows import Rows, segment_image
from features.segment import Segment
from features.snapshot import Snapshot

#: What compact replaced is deleted when it is this old.
RETIRED_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What ``compact`` did: numbers of segments, and of rows dropped as duplicates."""

    n_before: int
    n_after: int
    n_dropped: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment to be merged and which of its rows to keep."""

    segment: Segment
    keep: NDArray[np.int64]


def compact(path: str | Path, *, segment_bytes: int = 256 << 20) -> CompactReport:
    """Merge small segments and drop duplicate keys.

    Writers may go on adding meanwhile: what they commit is left for the next time.

    Raises
    ------
    BankError
        When another process compacts or repairs the bank.
    CorruptSegment
        When a segment is damaged; nothing was changed by then that is not whole.
    CommitError
        When there is no room; the bank is as good as before.
    """
    folder = Path(path).absolute()
    manifest = read_manifest(folder)
    with rearranging(folder):
        sweep(folder)
        purge(folder)
        snapshot = Snapshot(
            folder, manifest.fingerprint, bank_blocks(manifest.setup), use_index=False
        )
        segments = [snapshot.segment(number) for number in range(snapshot.n_segments)]
        firsts = KeyIndex.of([segment.keys for segment in segments]).firsts()
        parts, start = [], 0
        for segment in segments:
            keep = np.flatnonzero(firsts[start : start + segment.n])
            parts.append(_Part(segment, keep))
            start += segment.n
        n_after = len(segments)
        for group in _groups(parts, segment_bytes):
            n_after += _replace(folder, manifest.fingerprint, group) - len(group)
        sync_folder(folder)
        (folder / INDEX).unlink(missing_ok=True)
    Bank.open(folder)  # keeps a new index where one is due
    return CompactReport(len(segments), n_after, int((~firsts).sum()))


def _groups(parts: Sequence[_Part], segment_bytes: int) -> Iterator[list[_Part]]:
    """Parts to be merged into one segment each: small ones of one dtype, as many as fit."""
    for dtype in sorted({str(part.segment.dtype) for part in parts}):
        group: list[_Part] = []
        size = 0.0
        for part in parts:
            whole = len(part.keep) == part.segment.n
            if str(part.segment.dtype) != dtype:
                continue
            if whole and part.segment.size > segment_bytes / 2:
                continue
            kept = part.segment.size * len(part.keep) / part.segment.n
            if group and size + kept > segment_bytes:
                yield from _worthwhile(group)
                group, size = [], 0.0
            group.append(part)
            size += kept
        yield from _worthwhile(group)


def _worthwhile(group: list[_Part]) -> Iterator[list[_Part]]:
    if len(group) > 1 or any(len(part.keep) < part.segment.n for part in group):
        yield group


def _replace(folder: Path, fingerprint: str, group: Sequence[_Part]) -> int:
    """Commit what a group keeps, then retire its segments; how many were committed."""
    parts = [part for part in group if len(part.keep)]
    image = segment_image(_merged(parts), fingerprint, _provenance(parts)) if parts else None
    with swapping(folder):
        if image is not None:
            # The earliest of their times: a key that a later segment repeats is still found here.
            made = parts[0].segment.path.name.split("-")[1]
            new = commit(folder, image, lambda sha256: segment_name(sha256, made))
            log(folder, "commit", new.name, sum(len(part.keep) for part in parts))
        for part in group:
            retire(folder, part.segment)
    return len(parts[:1])


def _merged(parts: Sequence[_Part]) -> Rows:
    def joined(arrays: list[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([array[part.keep] for array, part in zip(arrays, parts, strict=True)])

    segments = [part.segment for part in parts]
    return Rows(
        keys=joined([segment.keys for segment in segments]),
        n_tokens=joined([segment.n_tokens for segment in segments]),
        truncated=joined([segment.truncated for segment in segments]),
        blocks={
            block: joined([segment.block(block) for segment in segments])
            for block in segments[0].blocks
        },
    )


def _provenance(parts: Sequence[_Part]) -> dict[str, Any]:
    """What the merged segments say of themselves, each different one once."""
    return {"compacted": sorted({part.segment.provenance for part in parts})}


def retire(folder: Path, segment: Segment) -> None:
    """Move a segment to ``retired/``, where readers that know its name still find it."""
    place = folder / RETIRED
    try:
        place.mkdir(exist_ok=True)
        # Noted first: a segment that is listed and gone would be taken for lost.
        log(folder, "retire", segment.path.name, segment.n)
        os.utime(segment.path)  # its day begins now
        os.rename(segment.path, place / segment.path.name)
    except OSError as error:
        raise CommitError(
            f"could not move {segment.path} to {place} ({error.strerror or error}): mend it and "
            "compact again; nothing was lost"
        ) from error


def purge(folder: Path) -> None:
    """Delete what was retired more than a day ago."""
    for path in (folder / RETIRED).glob("segment-*.h5"):
        if time.time() - path.stat().st_mtime > RETIRED_SECONDS:
            path.unlink(missing_ok=True)
