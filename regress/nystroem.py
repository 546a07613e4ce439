"""The RBF kernel of more rows than can be held, approximated.

It is taken from some of the training rows, the landmarks (C. Williams and M. Seeger, *Using the
Nystroem method to speed up kernel machines*, 2001): ``k(x, z) ~ k(x, L) K_LL^-1 k(L, z)``. Rows
become ``k(x, L) V S^-1/2``, with ``K_LL = V S V'``, and the regression is linear in these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regress.model import Matrix, row_chunks
from regress.statistics import TrainingSet

Rows = NDArray[np.int64]
#: Directions whose share of the largest is below this are rounding.
RANK = 1e-12


class Landmarks:
    """Some training rows, and what the kernel with them makes of others.

    Attributes
    ----------
    rows
        Numbers of the landmarks, ascending.
    """

    def __init__(self, training: TrainingSet, n_landmarks: int, random_state: int) -> None:
        self._training = training
        rng = np.random.default_rng(random_state)
        n = min(n_landmarks, len(training.rows))
        self.rows: Rows = np.sort(rng.choice(training.rows, n, replace=False))
        self._Z = training.standardised(self.rows)
        self._squares = np.einsum("ij,ij->i", self._Z, self._Z)

    def whitening(self, gamma: float) -> Matrix:
        """``V S^-1/2``, shape (n_landmarks, rank)."""
        values, vectors = np.linalg.eigh(self.kernel(self.rows, gamma))
        kept = values > RANK * values[-1]
        return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))

    def kernel(self, rows: Rows, gamma: float) -> Matrix:
        """The kernel of rows with the landmarks, shape (n_rows, n_landmarks)."""
        K = np.empty((len(rows), len(self.rows)))
        width = max(self._Z.shape[1], len(self.rows))
        for part in row_chunks(len(rows), width, self._training.data.chunk):
            Z = self._training.standardised(rows[part])
            squares = np.einsum("ij,ij->i", Z, Z)[:, None] + self._squares
            K[part] = np.exp(-gamma * np.maximum(squares - 2 * (Z @ self._Z.T), 0))
        return K
