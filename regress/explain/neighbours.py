"""Which training texts a model takes for the most similar.

The similarity of two texts is ``k(a, b) / sqrt(k(a, a) k(b, b))``, 1 for texts that the model
cannot tell apart, with the kernel that the model itself predicts by
(`regress.models.base.FittedModel.similarity_to`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regress.compute.arrays import Matrix, Rows
from regress.compute.memory import row_chunks
from regress.models.base import Similarity

#: Given the numbers of a part of the rows, their features.
Read = Callable[[slice], NDArray[Any]]


def nearest(
    similarity: Similarity,
    read: Read,
    width: int,
    n_nearest: int,
    *,
    same: Rows,
    numbers: Rows,
) -> tuple[Rows, Matrix]:
    """The most similar of many rows, read a part at a time.

    Parameters
    ----------
    read
        Features of a part of the rows, `width` columns.
    same, numbers
        Shape (n_samples,) and (n_rows,): rows with a sample's own number are that text itself,
        and left out.

    Returns
    -------
    Their numbers and similarities, the most similar first, shape (n_samples, n_nearest); fewer
    where rows are fewer. What is left out has the similarity -infinity.
    """
    at: NDArray[np.int64] = np.empty((len(same), 0), np.int64)
    best: Matrix = np.empty((len(same), 0))
    for rows in row_chunks(len(numbers), width):
        of_rows = np.arange(len(numbers))[rows]
        found = np.where(same[:, None] == numbers[of_rows], -np.inf, similarity(read(rows)))
        at = np.hstack([at, np.broadcast_to(of_rows, found.shape)])
        best = np.hstack([best, found])
        order = np.argsort(-best, axis=1, kind="stable")[:, :n_nearest]
        at = np.take_along_axis(at, order, axis=1)
        best = np.take_along_axis(best, order, axis=1)
    return at, best
