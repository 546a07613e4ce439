"""Weights that blend predictions: non-negative least squares, or ridge towards equal weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regress.compute.arrays import Matrix

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


#: Fits weights to predictions (n, n_bases) of a target (n,), given each row's fold and how much it
#: counts; None for all alike.
Method = Callable[[Matrix, Matrix, NDArray[np.int64], Matrix | None], Weights]


def nnls(
    A: Matrix, y: Matrix, folds: NDArray[np.int64], sample_weight: Matrix | None = None
) -> Weights:
    """Weights of 0 or more that minimise the squared error, about the target's mean.

    They need not sum to one; what is missing goes to the mean (L. Breiman, "Stacked regressions",
    1996, finds that non-negativity is what makes stacking work).
    """
    import scipy.optimize

    mean = float(np.average(y, weights=sample_weight))
    roots = np.ones(len(y)) if sample_weight is None else np.sqrt(sample_weight)
    values, _ = scipy.optimize.nnls((A - mean) * roots[:, None], (y - mean) * roots)
    return Weights(values, mean * (1 - float(values.sum())))


def ridge(
    A: Matrix, y: Matrix, folds: NDArray[np.int64], sample_weight: Matrix | None = None
) -> Weights:
    """Weights that ridge pulls towards equal ones; the penalty is chosen over the folds given."""
    w = np.ones(len(y)) if sample_weight is None else sample_weight
    errors = np.zeros(len(PENALTIES))
    for fold in np.unique(folds):
        held = folds == fold
        for index, penalty in enumerate(PENALTIES):
            fitted = _ridge(A[~held], y[~held], w[~held], penalty)
            errors[index] += float(w[held] @ (fitted.apply(A[held]) - y[held]) ** 2)
    return _ridge(A, y, w, PENALTIES[int(errors.argmin())])


def _ridge(A: Matrix, y: Matrix, w: Matrix, penalty: float) -> Weights:
    n_bases, mean = A.shape[1], float(np.average(y, weights=w))
    Z, target = A - mean, y - mean
    equal = np.full(n_bases, 1 / n_bases)
    shrink = penalty * float(w @ target**2) * np.eye(n_bases)
    wZ = Z * w[:, None]
    values = equal + np.linalg.solve(wZ.T @ Z + shrink, wZ.T @ (target - Z @ equal))
    return Weights(values, mean * (1 - float(values.sum())))


def mean_weights(fitted: Sequence[Weights]) -> Weights:
    """The mean of weights that were fitted on several splits into folds."""
    values = np.mean([weights.values for weights in fitted], axis=0)
    return Weights(values, float(np.mean([weights.intercept for weights in fitted])))


#: By the names that ``--method`` knows.
METHODS: dict[str, Method] = {"nnls": nnls, "ridge": ridge}
