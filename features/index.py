"""Where each key stands: sorted arrays, no Python object per key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.keys import KEY_SIZE

Keys = NDArray[np.uint8]


class KeyIndex:
    """Looks up keys by their first eight bytes in a sorted array, then compares them whole.

    SHA-256 is uniform, so that two keys share eight bytes about once in 10^19 / n^2 banks; a run
    of equal prefixes is walked all the same.

    Parameters
    ----------
    parts
        Key arrays, shape ``(n_i, 32)``, in order of precedence: a key that occurs twice is found
        in its first place.
    """

    def __init__(self, parts: Sequence[Keys]) -> None:
        keys = np.concatenate([np.empty((0, KEY_SIZE), np.uint8), *parts])
        prefixes = _prefixes(keys)
        order = np.argsort(prefixes, kind="stable")
        self._keys = keys
        self._order = order
        self._prefixes = prefixes[order]

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, keys: Keys) -> NDArray[np.int64]:
        """Row of each key in the concatenation of the parts, -1 where it is not; shape ``(n,)``."""
        wanted = _prefixes(keys)
        rows = np.full(len(keys), -1, np.int64)
        at = np.searchsorted(self._prefixes, wanted, side="left")
        open_ = np.arange(len(keys))
        while True:
            inside = at < len(self._prefixes)
            open_, at = open_[inside], at[inside]
            same_prefix = self._prefixes[at] == wanted[open_]
            open_, at = open_[same_prefix], at[same_prefix]
            if not len(open_):
                return rows
            candidates = self._order[at]
            equal = (self._keys[candidates] == keys[open_]).all(axis=1)
            rows[open_[equal]] = candidates[equal]
            open_, at = open_[~equal], at[~equal] + 1

    def n_distinct(self) -> int:
        """How many different keys there are."""
        rows = self.find(self._keys)
        return int((rows == np.arange(len(rows))).sum())


def _prefixes(keys: Keys) -> NDArray[np.uint64]:
    """The first eight bytes of each key as a big-endian number, in native order."""
    if not len(keys):
        return np.empty(0, np.uint64)
    head = np.ascontiguousarray(keys[:, :8])
    return head.view(">u8").ravel().astype(np.uint64)
