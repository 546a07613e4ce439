"""Where each key stands: sorted arrays, no Python object per key; kept in a file for large banks.

The file, ``keys.index``, is derived: it may be deleted at any time, is ignored when it does not
fit the folder, and is never trusted over the segments (a reader compares the keys it finds there
with those it asked for). It is a line of JSON padded to 4,096 bytes or a multiple (names and
sizes of the segments, and the XXH3 hash of these and of what follows), then three arrays of n
elements, all little-endian: the keys' first eight bytes, as numbers, sorted (uint64), their rows
(uint32), and the keys (32 bytes each).
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import xxhash
from numpy.typing import NDArray

from features.disk.atomic import locked_temporary
from features.disk.format import ALIGNMENT, canonical_json
from features.disk.schema import Whole, parse_json, refuse_other
from features.disk.system import LARGEST_TEXT, WRITES_BANKS, open_read, release, write_all
from features.keys import KEY_SIZE

Keys = NDArray[np.uint8]

INDEX = "keys.index"
INDEX_VERSION = 1

#: What the first line must hold.
_HEADER = {"version": Whole(INDEX_VERSION, INDEX_VERSION), "segments": {}, "xxh3_64": str}

#: Keys that are looked up at a time.
CHUNK = 1 << 17


class KeyIndex:
    """Looks up keys by their first eight bytes in a sorted array, then compares them whole.

    SHA-256 is uniform, so that two of n keys share eight bytes with a chance of about
    n² / 4e19; a run of equal prefixes is walked all the same.

    Parameters
    ----------
    prefixes
        Sorted first eight bytes, shape ``(n,)``, uint64.
    order
        Row of each, shape ``(n,)``; equal prefixes in ascending order of rows.
    keys
        The keys by row, shape ``(n, 32)``.
    """

    def __init__(self, prefixes: NDArray[np.uint64], order: NDArray[np.uint32], keys: Keys) -> None:
        self._prefixes, self._order, self.keys = prefixes, order, keys

    @classmethod
    def of(cls, parts: Sequence[Keys]) -> Self:
        """An index of the concatenation of key arrays, each of shape ``(n_i, 32)``.

        A key that occurs twice is found in its first place.
        """
        return cls.over(np.concatenate([np.empty((0, KEY_SIZE), np.uint8), *parts]))

    @classmethod
    def over(cls, keys: Keys) -> Self:
        """An index of keys by row, shape ``(n, 32)``, which it keeps without a copy."""
        prefixes = _prefixes(keys)
        order = np.argsort(prefixes, kind="stable").astype(np.uint32)
        return cls(prefixes[order], order, keys)

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, keys: Keys) -> NDArray[np.int64]:
        """Row of each key, -1 where it is not; shape ``(n,)``."""
        rows = np.empty(len(keys), np.int64)
        for start in range(0, len(keys), CHUNK):  # so that what it takes besides is bounded
            rows[start : start + CHUNK] = self._find(keys[start : start + CHUNK])
        return rows

    def _find(self, keys: Keys) -> NDArray[np.int64]:
        wanted = _prefixes(keys)
        rows = np.full(len(keys), -1, np.int64)
        places = np.searchsorted(self._prefixes, wanted, side="left")
        seeking = np.arange(len(keys))
        while True:
            inside = places < len(self._prefixes)
            seeking, places = seeking[inside], places[inside]
            same_prefix = self._prefixes[places] == wanted[seeking]
            seeking, places = seeking[same_prefix], places[same_prefix]
            if not len(seeking):
                return rows
            candidates = self._order[places]
            equal = (self.keys[candidates] == keys[seeking]).all(axis=1)
            rows[seeking[equal]] = candidates[equal]
            seeking, places = seeking[~equal], places[~equal] + 1

    def firsts(self) -> NDArray[np.bool_]:
        """Whether each row is the first with its key, shape ``(n,)``."""
        first = np.ones(len(self), bool)
        equal = self._prefixes[1:] == self._prefixes[:-1]
        # Only rows in a run of equal prefixes can repeat a key.
        in_run = np.zeros(len(self), bool)
        in_run[1:] |= equal
        in_run[:-1] |= equal
        run = self._order[in_run]
        first[run] = self.find(self.keys[run]) == run
        return first

    def is_sound(self) -> bool:
        """Whether it is what :meth:`over` makes of its keys; without sorting them again."""
        n, seen = len(self), np.zeros(len(self), bool)
        if self._order.size and int(self._order.max()) >= n:
            return False
        for start in range(0, n, CHUNK):
            part = slice(start, start + CHUNK)
            order, prefixes = self._order[part], self._prefixes[part]
            seen[order] = True
            if not np.array_equal(_prefixes(self.keys[order]), prefixes):
                return False
            # With the one before it, so that no step between two parts is left out.
            joined = slice(max(0, start - 1), start + CHUNK)
            order, prefixes = self._order[joined], self._prefixes[joined]
            tied = prefixes[1:] == prefixes[:-1]
            if not (np.where(tied, order[1:] > order[:-1], prefixes[1:] > prefixes[:-1])).all():
                return False
        return bool(seen.all())

    def save(self, folder: Path, sizes: Mapping[str, int]) -> None:
        """Keep the index beside the segments it covers; a folder that refuses is no failure.

        Parameters
        ----------
        folder
            The bank's.
        sizes
            Rows of each segment, by name, in the order of the keys.
        """
        arrays: tuple[NDArray[Any], ...] = (
            self._prefixes.astype("<u8", copy=False),
            self._order.astype("<u4", copy=False),
            self.keys,
        )
        body = [np.ascontiguousarray(array).view(np.uint8).reshape(-1).data for array in arrays]
        checksum = xxhash.xxh3_64(canonical_json(dict(sizes)).encode())
        for part in body:
            checksum.update(part)
        header = json.dumps(
            {"version": INDEX_VERSION, "segments": dict(sizes), "xxh3_64": checksum.hexdigest()}
        ).encode()
        header += b"\n"
        if not WRITES_BANKS:
            return
        with contextlib.suppress(OSError), locked_temporary(folder) as (descriptor, temporary):
            for part in (memoryview(header.ljust(_aligned(len(header)))), *body):
                write_all(descriptor, part)
            os.replace(temporary, folder / INDEX)
            # A delete may have taken segments away meanwhile: their keys must not stay on here.
            if not {*sizes} <= {*os.listdir(folder)}:
                os.unlink(folder / INDEX)

    @classmethod
    def load(cls, folder: Path, names: Sequence[str]) -> tuple[Self, dict[str, int]] | None:
        """The kept index and the segments it covers, ``{name: rows}``.

        None when there is none, it was damaged, or it covers other than the first of ``names``.
        """
        kept = cls.read(folder)
        return kept if kept and list(kept[1]) == list(names[: len(kept[1])]) else None

    @classmethod
    def read(cls, folder: Path) -> tuple[Self, dict[str, int]] | None:
        """The kept index whether or not it fits the folder; None when damaged or not there."""
        try:
            descriptor = open_read(folder / INDEX)
            try:
                data = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            finally:
                release(descriptor)
            end = data.find(b"\n", 0, LARGEST_TEXT) + 1
            header = parse_json(data[:end])
            refuse_other(header, _HEADER, "")
            sizes: dict[str, int] = header["segments"]
            if not all(type(size) is int and 0 <= size < 2**32 for size in sizes.values()):
                return None  # there may be very many of them
            n = sum(sizes.values())
            body = memoryview(data)[_aligned(end) :]
            if len(body) != n * (8 + 4 + KEY_SIZE):
                return None
            checksum = xxhash.xxh3_64(canonical_json(sizes).encode())
            checksum.update(body)
            if checksum.hexdigest() != header["xxh3_64"]:
                return None
        except (OSError, ValueError):
            return None
        prefixes = np.frombuffer(body[: 8 * n], "<u8")
        order = np.frombuffer(body[8 * n : 12 * n], "<u4")
        keys = np.frombuffer(body[12 * n :], np.uint8).reshape(n, KEY_SIZE)
        if n and int(order.max()) >= n:
            return None
        return cls(prefixes, order, keys), sizes


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _prefixes(keys: Keys) -> NDArray[np.uint64]:
    """The first eight bytes of each key as a big-endian number, in native order."""
    head = np.ascontiguousarray(keys[:, :8])
    return head.view(">u8").reshape(len(keys)).astype(np.uint64)
