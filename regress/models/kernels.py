"""The RBF kernel of a training set: all of it, or what some of its rows make of it.

Beyond some number of rows the kernel is approximated from landmarks (Nystroem; C. K. I. Williams
and M. Seeger, *Using the Nyström method to speed up kernel machines*, 2000): with the eigenvectors
V and eigenvalues S of the landmarks' own kernel, ``F = K V S^-1/2`` are features whose products
``F F'`` stand for the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from regress.compute.arrays import Matrix, Rows
from regress.compute.memory import row_chunks
from regress.models.training import TrainingSet

#: Multiples of ``gamma="scale"`` that regressors choose from.
GAMMAS = (0.25, 0.5)

#: The kernel of so many rows takes 0.8 GB, some of which stand side by side in each worker, and
#: what is fitted on it grows with their square at the least.
MAX_ROWS = 10_000

#: Directions whose share of the largest is below this are rounding.
RANK = 1e-12


def each_kernel(
    training: TrainingSet, multiples: Iterable[float]
) -> Iterator[tuple[float, Matrix, Matrix]]:
    """For each distinct multiple, the kernel of training rows, and of held-out rows with them.

    Shapes (n_train, n_train), the caller's own, and (n_held, n_train). Both follow from one matrix
    of products, since ``|a - b|^2 = aa + bb - 2ab``.
    """
    within = _distances(training)
    products, held_squares = training.held_kernel()
    apart = held_squares[:, None] + np.diag(training.kernel) - 2 * products
    for multiple in dict.fromkeys(multiples):
        yield multiple, _rbf(within, multiple, training), _rbf(apart, multiple, training)


def kernel_gamma(multiple: float, training: TrainingSet) -> float:
    """Gamma on standardised columns, of which those that vary have variance 1."""
    return multiple / max(training.n_active, 1)


def _distances(training: TrainingSet) -> Matrix:
    squares = np.diag(training.kernel)
    return squares[:, None] + squares - 2 * training.kernel


def _rbf(distances: Matrix, multiple: float, training: TrainingSet) -> Matrix:
    K = distances * -kernel_gamma(multiple, training)
    return np.exp(K, out=K)


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
