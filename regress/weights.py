"""Weights that blend predictions: non-negative least squares, or ridge towards equal weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regress.model import Matrix

#: Penalties of ``ridge``, in squared errors of the target's mean.
PENALTIES = tuple(float(penalty) for penalty in np.logspace(-4, 1, 11))


class Weights(NamedTuple):
    """``A @ values + intercept``."""

    values: Matrix
    intercept: float

    def apply(self, A: Matrix) -> Matrix:
        """Blended predictions, shape (n,), of predictions of shape (n, n_bases)."""
        blended: Matrix = A @ self.values + self.intercept
        return blended


#: Fits weights to predictions (n, n_bases) of a target (n,), given each row's fold.
Method = Callable[[Matrix, Matrix, NDArray[np.int64]], Weights]


def nnls(A: Matrix, y: Matrix, folds: NDArray[np.int64]) -> Weights:
    """Weights of 0 or more that minimise the squared error, about the target's mean.

    They need not sum to one; what is missing goes to the mean (L. Breiman, "Stacked regressions",
    1996, finds that non-negativity is what makes stacking work).
    """
    import scipy.optimize

    mean = float(y.mean())
    values, _ = scipy.optimize.nnls(A - mean, y - mean)
    return Weights(values, mean * (1 - float(values.sum())))


def ridge(A: Matrix, y: Matrix, folds: NDArray[np.int64]) -> Weights:
    """Weights that ridge pulls towards equal ones; the penalty is chosen over the folds given."""
    numbers = np.unique(folds)
    errors = np.zeros(len(PENALTIES))
    for number in numbers:
        held = folds == number
        for at, penalty in enumerate(PENALTIES):
            fitted = _ridge(A[~held], y[~held], penalty)
            errors[at] += float(((fitted.apply(A[held]) - y[held]) ** 2).sum())
    return _ridge(A, y, PENALTIES[int(errors.argmin())])


def _ridge(A: Matrix, y: Matrix, penalty: float) -> Weights:
    n_bases, mean = A.shape[1], float(y.mean())
    Z, target = A - mean, y - mean
    equal = np.full(n_bases, 1 / n_bases)
    shrink = penalty * float(target @ target) * np.eye(n_bases)
    values = equal + np.linalg.solve(Z.T @ Z + shrink, Z.T @ (target - Z @ equal))
    return Weights(values, mean * (1 - float(values.sum())))


METHODS: dict[str, Method] = {"nnls": nnls, "ridge": ridge}
