"""The segments of a bank's folder at one moment: where each key stands, and its numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.disk.format import SEGMENT_NAME
from features.disk.index import KeyIndex, Keys
from features.disk.layout import Layout
from features.disk.segment import Segment, SnapshotMoved
from features.disk.system import read_errors
from features.keys import KEY_SIZE

#: An index is kept once opening the bank without it would read this many segments or keys.
KEEP_SEGMENTS = 64
KEEP_KEYS = 200_000

Rows = NDArray[np.int64]


class Snapshot:
    """A folder's segments, first committed first; each is opened when it is first read.

    Parameters
    ----------
    folder, layout
        The bank's.
    use_index
        Whether a kept index may serve.

    Raises
    ------
    CorruptSegment
        When a segment that the index does not cover cannot be opened.
    SnapshotMoved
        When a segment went away meanwhile.
    """

    def __init__(self, folder: Path, layout: Layout, *, use_index: bool = True) -> None:
        self._layout = layout
        self._paths = [folder / name for name in segment_names(folder)]
        self._opened: dict[int, Segment] = {}
        names = [path.name for path in self._paths]
        kept = KeyIndex.load(folder, names) if use_index else None
        base, sizes = kept or (KeyIndex.of([]), {})
        rest = [self.segment(number) for number in range(len(sizes), len(names))]
        sizes |= {segment.path.name: segment.n for segment in rest}
        n_rest = sum(segment.n for segment in rest)
        if len(rest) > KEEP_SEGMENTS or n_rest > max(KEEP_KEYS, len(base) // 8):
            self._indices = [KeyIndex.over(all_keys(rest, base.keys))]
            self._indices[0].save(folder, sizes)
        else:
            self._indices = [base, KeyIndex.over(all_keys(rest))]
        self._starts = np.cumsum([0, *sizes.values()])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def n_segments(self) -> int:
        """How many segments there are."""
        return len(self._paths)

    def segment(self, number: int) -> Segment:
        """A segment, opened on first use."""
        if number not in self._opened:
            self._opened[number] = Segment(self._paths[number], self._layout)
        return self._opened[number]

    def find(self, keys: Keys) -> Rows:
        """Row of each key in this snapshot, -1 where it is not; shape ``(n,)``."""
        base, *others = self._indices
        rows, start = base.find(keys), len(base)
        for index in others:
            if len(index):
                missing = np.flatnonzero(rows < 0)
                found = index.find(keys[missing])
                rows[missing] = np.where(found < 0, -1, found + start)
            start += len(index)
        return rows

    @property
    def n_distinct(self) -> int:
        """How many different keys there are."""
        base, *others = self._indices
        count = int(base.firsts().sum())
        for index in others:
            count += int((index.firsts() & (base.find(index.keys) < 0)).sum())
        return count

    def distinct_keys(self) -> Keys:
        """Every key once, shape ``(n, 32)``, in order of rows."""
        keys = [index.keys[index.firsts()] for index in self._indices]
        if len(keys) == 2:
            keys[1] = keys[1][self._indices[0].find(keys[1]) < 0]
        return np.concatenate(keys)

    def parts(self, rows: Rows, keys: Keys) -> Iterator[tuple[Rows, Segment, Rows]]:
        """``(positions in rows, segment, rows within it)`` of each segment in use.

        Raises
        ------
        SnapshotMoved
            When a segment has another key there: the kept index was not its own.
        """
        owner = np.searchsorted(self._starts, rows, side="right") - 1
        # Sorted once, rather than looked through for each of what may be thousands of segments.
        by_owner = np.argsort(owner, kind="stable")
        numbers, begins = np.unique(owner[by_owner], return_index=True)
        for number, positions in zip(numbers, np.split(by_owner, begins[1:]), strict=False):
            local = rows[positions] - self._starts[number]
            segment = self.segment(int(number))
            stored = segment.keys
            if local.max() >= len(stored) or not np.array_equal(stored[local], keys[positions]):
                raise SnapshotMoved(segment.path)
            yield positions, segment, local


def all_keys(segments: Sequence[Segment], before: Keys | None = None) -> Keys:
    """The keys of segments, behind others, in one array; shape ``(n, 32)``.

    Copied, each once: a view would hold its segment's map, and there may be thousands.
    """
    n_before = 0 if before is None else len(before)
    keys = np.empty((n_before + sum(segment.n for segment in segments), KEY_SIZE), np.uint8)
    if before is not None:
        keys[:n_before] = before
    for segment in segments:
        keys[n_before : n_before + segment.n] = segment.keys
        n_before += segment.n
    return keys


def segment_names(folder: Path) -> list[str]:
    """Names of the segments in a folder, sorted.

    While ``compact`` swaps segments, one listing may miss both the old and the new. The new ones
    stand before the first old one goes, so that two equal listings in a row miss nothing.
    """
    names, previous = _list_segments(folder), None
    while names != previous:
        names, previous = _list_segments(folder), names
    return names


def _list_segments(folder: Path) -> list[str]:
    with read_errors(folder):
        return sorted(filter(SEGMENT_NAME.fullmatch, os.listdir(folder)))
