"""Which rows of which segments give a matrix, and copying them into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.disk.index import Keys
from features.disk.segment import Segment
from features.disk.snapshot import Rows, Snapshot
from features.selection import Block, ResolvedTerm
from features.sentence import SQRT_LEN, derived

#: Rows gathered at a time, so that what is copied twice stays in the processor's cache.
CHUNK = 256

#: Values widened at a time: small enough for the processor's second cache.
WIDEN_CHUNK = 48 * 1024

#: A row that is shorter is not brought to unit length, but divided by this.
SHORTEST = 1e-12

#: After a shift by 13, the sign of a sign-extended float16 and its exponent and mantissa.
_MASK = np.int32(-0x70002000)

#: The exponents' biases differ by 127 - 15.
_SCALE = np.float32(2.0**112)


class Part(NamedTuple):
    """What one segment gives: its rows ``source`` go to the rows ``target`` of the matrix.

    A slice where the rows follow one another, which costs no copy.
    """

    segment: Segment
    source: Rows | slice
    target: Rows | slice


class Plan(NamedTuple):
    """Where every key stands; ``missing`` holds the positions of those that stand nowhere."""

    parts: tuple[Part, ...]
    missing: Rows


def plan(snapshots: Sequence[Snapshot], keys: Keys) -> Plan:
    """Find n keys, shape ``(n, 32)``, in snapshots, the first that has one wins.

    Raises
    ------
    SnapshotMoved, CorruptSegment
    """
    todo = np.arange(len(keys))
    parts = []
    for snapshot in snapshots:
        rows = snapshot.find(keys[todo])
        found, rows, todo = todo[rows >= 0], rows[rows >= 0], todo[rows < 0]
        for positions, segment, source in snapshot.parts(rows, keys[found]):
            parts.append(Part(segment, _span(source), _span(found[positions])))
    return Plan(tuple(parts), todo)


def gather(out: NDArray[Any], part: Part, terms: Sequence[ResolvedTerm]) -> None:
    """Write the terms' columns of a part into its rows of ``out``, shape ``(n, d)``.

    Some rows at a time for all blocks: the rows of ``out`` are wide, and so each of its pages is
    visited once.
    """
    columns = [
        _columns(part.segment, blocks)
        for term in terms
        for blocks in ([term.blocks] if term.average else [(block,) for block in term.blocks])
    ]
    straight = isinstance(part.source, slice) and isinstance(part.target, slice)
    if straight and len(columns) == 1 and isinstance(columns[0], list) and len(columns[0]) == 1:
        widen(columns[0][0][part.source], out[part.target])
        return
    scratch: dict[Any, NDArray[Any]] = {}
    for source, target in zip(_chunks(part.source), _chunks(part.target), strict=True):
        start = 0
        for arrays in columns:
            values = (
                _rows(arrays, source, scratch) if isinstance(arrays, list) else arrays.rows(source)
            )
            stop = start + values.shape[1]
            if isinstance(target, slice):
                widen(values, out[target, start:stop])
            else:
                wide = np.empty(values.shape, out.dtype)
                widen(values, wide)
                out[target, start:stop] = wide
            start = stop


class _Derived(NamedTuple):
    """Columns that are computed from those of several blocks."""

    arrays: list[NDArray[Any]]
    roots: list[bool]
    """Which of them are means that are wanted as sums over the root of a text's tokens."""
    n_tokens: NDArray[np.int32]
    unit: bool

    def rows(self, source: Any) -> NDArray[np.float64]:
        """Some rows, as wide as the arrays together."""
        roots = np.sqrt(self.n_tokens[source], dtype=np.float64)[:, None]
        parts = [
            array[source].astype(np.float64) * (roots if root else 1.0)
            for array, root in zip(self.arrays, self.roots, strict=True)
        ]
        values: NDArray[np.float64] = np.concatenate(parts, axis=1)
        if self.unit:
            values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), SHORTEST)
        return values


def _columns(segment: Segment, blocks: Sequence[Block]) -> list[NDArray[Any]] | _Derived:
    """The arrays behind one block, or behind several that are averaged."""
    if len(blocks) > 1 or (made_of := derived(blocks[0].pooling)) is None:
        return [segment.block(block) for block in blocks]
    layer = blocks[0].layer
    arrays = [segment.block(Block(pooling, layer)) for pooling in made_of.poolings]
    roots = [part == SQRT_LEN for part in made_of.parts]
    return _Derived(arrays, roots, segment.n_tokens, made_of.unit)


def widen(values: NDArray[Any], out: NDArray[Any]) -> None:
    """Copy ``values`` into ``out`` of the same shape, exactly.

    Finite float16 values become float32 by moving their bits into place and correcting the
    exponent with one multiplication, which is exact, subnormal numbers included: 8 GB/s where
    NumPy's own conversion gives 3 (``benchmarks/bank.py``). Everything else NumPy copies.
    """
    if values.dtype != np.float16 or out.dtype != np.float32:
        np.copyto(out, values, casting="same_kind")
        return
    width = values.shape[1]
    step = max(1, WIDEN_CHUNK // max(width, 1))
    bits = np.empty((step, width), np.int32)
    for start in range(0, len(values), step):
        part = values[start : start + step]
        chunk = bits[: len(part)]
        np.copyto(chunk, part.view(np.int16))
        np.left_shift(chunk, 13, out=chunk)
        np.bitwise_and(chunk, _MASK, out=chunk)
        np.multiply(chunk.view(np.float32), _SCALE, out=out[start : start + step])


def _rows(arrays: list[NDArray[Any]], source: Any, scratch: dict[Any, NDArray[Any]]) -> Any:
    """Some rows of a block, or the mean of several blocks'; valid until the next call."""
    if len(arrays) > 1:
        return np.mean([array[source] for array in arrays], axis=0, dtype=np.float64)
    if isinstance(source, slice):
        return arrays[0][source]
    width = arrays[0].shape[1]
    if width not in scratch:
        scratch[width] = np.empty((CHUNK, width), arrays[0].dtype)
    # With mode="raise" NumPy would copy once more; the rows are known to be there.
    return np.take(arrays[0], source, axis=0, out=scratch[width][: len(source)], mode="clip")


def _chunks(rows: Rows | slice) -> list[Any]:
    if isinstance(rows, slice):
        starts = range(rows.start, rows.stop, CHUNK)
        return [slice(start, min(start + CHUNK, rows.stop)) for start in starts]
    return [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]


def _span(rows: Rows) -> Rows | slice:
    first, last = int(rows[0]), int(rows[-1])
    if last - first == len(rows) - 1 and (np.diff(rows) == 1).all():
        return slice(first, last + 1)
    return rows
