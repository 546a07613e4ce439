"""The kinds of array that everything in regress speaks of, and what is done with all of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

#: Numbers, float64, of any shape.
Matrix = NDArray[np.float64]

#: Numbers of rows.
Rows = NDArray[np.int64]


def weights_of(weights: Matrix | None, rows: Rows | NDArray[np.bool_]) -> Matrix | None:
    """The weights of some rows; None, for all alike, stays None."""
    return None if weights is None else weights[rows]


def spread(values: Matrix, rows: Rows | None, n_rows: int) -> Matrix:
    """Values of some rows, shape (…, n_some), as those of all, (…, n_rows); NaN elsewhere.

    `rows` is None where these are all rows already.
    """
    if rows is None:
        return values
    everywhere = np.full((*values.shape[:-1], n_rows), np.nan)
    everywhere[..., rows] = values
    return everywhere


def numbered(names: Iterable[object]) -> tuple[list[str], Rows]:
    """Distinct names in ascending order, and the number of each name among them, from 0.

    An array of strings would take as much for each as for the longest.
    """
    words = [str(name) for name in names]
    distinct = sorted(set(words))
    index = {word: number for number, word in enumerate(distinct)}
    return distinct, np.array([index[word] for word in words], dtype=np.int64)
