"""Fewer, larger segments; each key once. Safe to kill at any step.

New segments are committed before the old ones move to ``retired/``, where readers that still
have their names find them for a day. Between the two a key stands twice, which is allowed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.disk.atomic import sweep
from features.disk.commit import commit, rearranging, swapping
from features.disk.format import RETIRED, canonical_json, segment_name
from features.disk.image import Rows, segment_image
from features.disk.index import INDEX, KeyIndex
from features.disk.journal import note
from features.disk.manifest import Manifest, read_manifest
from features.disk.segment import Segment
from features.disk.snapshot import Snapshot, all_keys
from features.disk.system import disk_errors, sync_folder
from features.selection import bank_blocks

#: What compact replaced is deleted when it is this old.
RETIRED_SECONDS = 24 * 3600.0

#: In the provenance of a compacted segment: a list of those of the segments it replaced.
COMPACTED = "compacted"


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

    @property
    def whole(self) -> bool:
        """Whether all of its rows are kept."""
        return len(self.keep) == self.segment.n

    @property
    def size(self) -> float:
        """Bytes of the numbers in its kept rows."""
        return self.segment.n_data_bytes * len(self.keep) / max(1, self.segment.n)


def compact(path: str | Path, *, segment_bytes: int = 256 << 20) -> CompactReport:
    """Merge small segments and drop duplicate keys.

    Writers may go on adding meanwhile: what they commit is left for the next time.

    Parameters
    ----------
    path
        The bank's folder.
    segment_bytes
        Numbers in a full segment, bytes.

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
    with rearranging(folder), disk_errors(folder):
        sweep(folder)
        purge(folder)
        blocks = bank_blocks(manifest.setup)
        snapshot = Snapshot(folder, manifest.fingerprint, blocks, use_index=False)
        segments = [snapshot.segment(number) for number in range(snapshot.n_segments)]
        firsts = KeyIndex.over(all_keys(segments)).firsts()
        parts, start = [], 0
        for segment in segments:
            keep = np.flatnonzero(firsts[start : start + segment.n])
            parts.append(_Part(segment, keep))
            start += segment.n
        n_after = len(segments)
        for group in _groups(parts, segment_bytes):
            n_after += _replace(folder, manifest, group) - len(group)
            for part in group:
                part.segment.forget()
        (folder / INDEX).unlink(missing_ok=True)
    Bank.open(folder)  # keeps a new index where one is due
    return CompactReport(len(segments), n_after, int((~firsts).sum()))


def _groups(parts: Sequence[_Part], segment_bytes: int) -> Iterator[list[_Part]]:
    """Parts to be replaced by one segment each: small ones of one dtype, as many as fit.

    A part of which nothing is kept stands alone, and nothing replaces it.
    """
    groups: dict[str, list[_Part]] = {}
    sizes: dict[str, float] = {}
    for part in parts:
        if not len(part.keep):
            yield [part]
            continue
        if part.whole and part.size > segment_bytes / 2:
            continue
        dtype = str(part.segment.dtype)
        group = groups.setdefault(dtype, [])
        if group and sizes[dtype] + part.size > segment_bytes:
            yield from _worthwhile(group)
            group = groups[dtype] = []
            sizes[dtype] = 0.0
        group.append(part)
        sizes[dtype] = sizes.get(dtype, 0.0) + part.size
    for group in groups.values():
        yield from _worthwhile(group)


def _worthwhile(group: list[_Part]) -> Iterator[list[_Part]]:
    if len(group) > 1 or not all(part.whole for part in group):
        yield group


def _replace(folder: Path, manifest: Manifest, group: Sequence[_Part]) -> int:
    """Commit what a group keeps, then retire its segments; how many were committed."""
    parts = [part for part in group if len(part.keep)]
    image = segment_image(_merged(parts), manifest, _provenance(parts)) if parts else None
    with swapping(folder):
        if image is not None:
            # The earliest of their times: a key that a later segment repeats is still found here.
            made = parts[0].segment.path.name.split("-")[1]
            new = commit(folder, image, lambda sha256: segment_name(sha256, made))
            note(folder, "commit", new.name, sum(len(part.keep) for part in parts))
        for part in group:
            if image is None or part.segment.path.name != new.name:
                retire(folder, part.segment)
        sync_folder(folder)
    return len(parts[:1])


def _merged(parts: Sequence[_Part]) -> Rows:
    def joined(read: Callable[[Segment], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([read(part.segment)[part.keep] for part in parts])

    blocks = parts[0].segment.blocks
    return Rows(
        keys=joined(lambda segment: segment.keys),
        n_tokens=joined(lambda segment: segment.n_tokens),
        truncated=joined(lambda segment: segment.truncated),
        blocks={block: joined(partial(Segment.block, block=block)) for block in blocks},
    )


def _provenance(parts: Sequence[_Part]) -> dict[str, Any]:
    """What the merged segments say of themselves, each different one once, never nested."""
    said: dict[str, Any] = {}
    for part in parts:
        provenance = part.segment.provenance
        for original in provenance.get(COMPACTED, [provenance]):
            said[canonical_json(original)] = original
    return {COMPACTED: [said[text] for text in sorted(said)]}


def retire(folder: Path, segment: Segment) -> None:
    """Move a segment to ``retired/``, where readers that know its name still find it."""
    place = folder / RETIRED
    place.mkdir(exist_ok=True)
    # Noted first: a segment that is listed and gone would be taken for lost.
    note(folder, "retire", segment.path.name, segment.n)
    with contextlib.suppress(FileNotFoundError):  # gone already: a repair set it aside
        os.utime(segment.path)  # its day begins now
        os.rename(segment.path, place / segment.path.name)


def purge(folder: Path) -> None:
    """Delete what was retired more than a day ago."""
    for path in (folder / RETIRED).glob("segment-*.h5"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > RETIRED_SECONDS:
                path.unlink()
