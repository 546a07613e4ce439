"""Fewer, larger segments; each key once. Safe to kill at any step.

New segments are committed before the old ones move to ``retired/``, where readers that still
have their names find them for a day. Between the two a key stands twice, which is allowed.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
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
from features.disk.format import RETIRED, SEGMENT_NAME, canonical_json, segment_name
from features.disk.header import header_of
from features.disk.image import Rows, segment_image
from features.disk.index import INDEX, KeyIndex
from features.disk.journal import note
from features.disk.layout import Layout
from features.disk.manifest import Manifest, read_manifest
from features.disk.own_folder import OwnFolder
from features.disk.segment import COMPACTED, Segment
from features.disk.snapshot import Snapshot, all_keys
from features.disk.system import disk_errors, sync_folder
from features.paths import as_path

#: What compact replaced is deleted when it is this old.
RETIRED_SECONDS = 24 * 3600.0

logger = logging.getLogger(__name__)


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
    folder = as_path(path).absolute()
    manifest = read_manifest(folder)
    with rearranging(folder), disk_errors(folder):
        sweep(folder)
        purge(folder, manifest.fingerprint)
        snapshot = Snapshot(folder, Layout.of(manifest), use_index=False)
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
        with contextlib.suppress(OSError):  # nobody uses one that does not fit
            (folder / INDEX).unlink()
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
    said = {canonical_json(made): made for part in parts for made in part.segment.made_by}
    return {COMPACTED: [said[text] for text in sorted(said)]}


def retire(folder: Path, segment: Segment) -> None:
    """Move a segment to ``retired/``, where readers that know its name still find it.

    Of a segment that is a link, the link moves, and what it leads to stays as it is.
    """
    name = segment.path.name
    with OwnFolder(folder / RETIRED, make=True) as retired:
        # Noted first: a segment that is listed and gone would be taken for lost.
        note(folder, "retire", name, segment.n)
        with contextlib.suppress(FileNotFoundError):  # gone already: a repair set it aside
            os.utime(segment.path, follow_symlinks=False)  # its day begins now
            retired.take_in(segment.path, name)


def purge(folder: Path, fingerprint: str) -> None:
    """Delete what was retired more than a day ago: segments of this bank, and nothing else."""
    with contextlib.suppress(FileNotFoundError), OwnFolder(folder / RETIRED) as retired:
        for name in filter(SEGMENT_NAME.fullmatch, retired.names()):
            with contextlib.suppress(FileNotFoundError):
                status = retired.status(name)
                if time.time() - status.st_mtime <= RETIRED_SECONDS:
                    continue
                if stat.S_ISREG(status.st_mode) and _is_segment(retired, name, fingerprint):
                    retired.remove(name)
                else:
                    logger.warning("%s is left as it is: it is no segment of this bank",
                                   folder / RETIRED / name)  # fmt: skip


def _is_segment(retired: OwnFolder, name: str, fingerprint: str) -> bool:
    """Whether a file holds what its name says, and is of the bank with a fingerprint."""
    with open(retired.open_read(name), "rb") as file:
        try:
            header = header_of(file)
        except ValueError:
            return False
        if header.get("fingerprint") != fingerprint:
            return False
        return name.endswith(f"-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}.h5")
