"""The kinds of array that everything in regress speaks of, and what is done with all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Numbers, float64, of any shape.
Matrix = NDArray[np.float64]

#: Numbers of rows.
Rows = NDArray[np.int64]


def weights_of(weights: Matrix | None, rows: Rows | NDArray[np.bool_]) -> Matrix | None:
    """The weights of some rows; None, for all alike, stays None."""
    return None if weights is None else weights[rows]
