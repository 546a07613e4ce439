"""The features that resolved terms make: as one matrix, or read from the bank part by part.

Texts are asked for by their keys, which a task takes once.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.selection import ResolvedTerm
from regress.compute.arrays import Rows
from regress.compute.memory import available_memory, chunk_values

#: Keys of texts, shape (n_texts, 32), uint8, as `features.keys.text_keys` gives them.
Keys = NDArray[np.uint8]


def term_matrix(
    banks: Mapping[str, Bank], keys: Keys, terms: Sequence[ResolvedTerm]
) -> NDArray[np.float32]:
    """The features that these terms make, shape (n_texts, n_columns), float32."""
    X = np.empty((len(keys), n_columns(banks, terms)), dtype=np.float32)
    fill_terms(X, banks, keys, terms)
    return X


def fill_terms(
    out: NDArray[Any], banks: Mapping[str, Bank], keys: Keys, terms: Sequence[ResolvedTerm]
) -> None:
    """Write these features into `out`, shape (n_texts, n_columns); MissingTexts if any lacks."""
    stop = 0
    for name, several in groupby(terms, key=lambda term: term.bank):
        here = tuple(several)
        start, stop = stop, stop + n_columns(banks, here)
        banks[name].fill_keys(out[:, start:stop], keys, here)


def n_columns(banks: Mapping[str, Bank], terms: Sequence[ResolvedTerm]) -> int:
    """Columns that these terms make."""
    return sum(banks[term.bank].width(term) for term in terms)


class StreamedMatrix:
    """Stands in for a matrix that is too large for memory: rows are read when they are asked for.

    It is indexed by row numbers, alone or with a slice of columns, and gives a new array each
    time. Callers ask for as much as they can hold.

    Parameters
    ----------
    banks, keys, terms
        As `term_matrix`.
    chunk
        Values that are read at a time where only some of the columns are asked for.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, banks: Mapping[str, Bank], keys: Keys, terms: Sequence[ResolvedTerm], chunk: int
    ) -> None:
        self.shape = (len(keys), n_columns(banks, terms))
        self._banks, self._keys, self._terms = banks, keys, terms
        self._rows = max(1, chunk // self.shape[1])
        # Reading may open segments and take a new snapshot, which one thread at a time may do.
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process opens the banks for itself, and has a lock of its own.
        chunk = self._rows * self.shape[1]
        return StreamedMatrix, (self._banks, self._keys, self._terms, chunk)

    @property
    def nbytes(self) -> int:
        """What the whole matrix would take."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Rows | tuple[Rows, slice]) -> NDArray[np.float32]:
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        if columns == slice(None):
            return self._read(rows)
        n = len(range(*columns.indices(self.shape[1])))
        out = np.empty((len(rows), n), dtype=np.float32)
        for start in range(0, len(rows), self._rows):
            part = slice(start, start + self._rows)
            out[part] = self._read(rows[part])[:, columns]
        return out

    def _read(self, rows: Rows) -> NDArray[np.float32]:
        with self._lock:
            return term_matrix(self._banks, self._keys[rows], self._terms)


def fitting_matrix(
    banks: Mapping[str, Bank],
    keys: Keys,
    terms: Sequence[ResolvedTerm],
    memory: int | None = None,
) -> NDArray[np.float32] | StreamedMatrix:
    """The matrix, in memory where it takes no more than half of what there is."""
    limit = available_memory() if memory is None else memory
    streamed = StreamedMatrix(banks, keys, terms, chunk_values(memory))
    if streamed.nbytes <= limit // 2:
        return term_matrix(banks, keys, terms)
    for bank in banks.values():
        bank.require_keys(keys)
    return streamed
