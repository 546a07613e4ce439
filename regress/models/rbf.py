"""The RBF kernel of standardised rows, and the models that are sums of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from regress.compute.memory import row_chunks
from regress.models.base import Matrix, load_arrays, save_arrays
from regress.models.training import TrainingSet, standardise

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


#: Multiples of ``gamma="scale"`` that regressors choose from.
GAMMAS = (0.25, 0.5)


#: The kernel of so many rows takes 0.8 GB, some of which stand side by side in each worker, and
#: what is fitted on it grows with their square at the least.
MAX_ROWS = 10_000


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


@dataclass(frozen=True, eq=False)
class RBFModel:
    """A fitted sum of kernels: ``intercept + exp(-gamma |z - s|^2) @ dual_coef``, s over support.

    Attributes
    ----------
    mean, scale
        Shape (n_features,), float64; a constant column's scale is infinite.
    support
        Shape (n_support, n_features): the support vectors as they stood in X.
    dual_coef
        Shape (n_support,), in units of the target.
    intercept
        In units of the target.
    gamma
        Of the kernel on standardised features.
    """

    mean: Matrix
    scale: Matrix
    support: NDArray[Any]
    dual_coef: Matrix
    intercept: float
    gamma: float

    def predict(self, X: NDArray[Any]) -> Matrix:
        S = standardise(self.support, self.mean, self.scale)
        squares = np.einsum("ij,ij->i", S, S)
        predicted = np.full(len(X), self.intercept)
        for rows in row_chunks(len(X), max(X.shape[1], len(S))):
            Z = standardise(X[rows], self.mean, self.scale)
            distances = np.einsum("ij,ij->i", Z, Z)[:, None] + squares - 2 * (Z @ S.T)
            predicted[rows] += np.exp(-self.gamma * distances) @ self.dual_coef
        return predicted

    def save(self, stem: Path) -> Path:
        return save_arrays(stem.with_name(stem.name + ".npz"), vars(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        arrays = load_arrays(path)
        intercept, gamma = float(arrays.pop("intercept")), float(arrays.pop("gamma"))
        return cls(intercept=intercept, gamma=gamma, **arrays)
