"""How far predictions are from the target."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Scores of one vector of predictions.

    Attributes
    ----------
    rmse, mae
        Root mean squared and mean absolute error, in units of the target.
    se
        Standard error of `rmse` (see `rmse_standard_error`).
    r2
        1 - squared error over the squared distance from the target's mean; 0 is that mean's own.
    pearson, spearman
        Correlations; NaN where the target or the predictions do not vary.
    """

    rmse: float
    se: float
    mae: float
    r2: float
    pearson: float
    spearman: float


def score(y: Vector, predicted: Vector) -> Scores:
    """Score predictions, both of shape (n_samples,)."""
    return Scores(
        rmse=rmse(y, predicted),
        se=rmse_standard_error(y, predicted),
        mae=float(np.mean(np.abs(y - predicted))),
        r2=r2(y, predicted),
        pearson=pearson(y, predicted),
        spearman=spearman(y, predicted),
    )


def rmse(y: Vector, predicted: Vector) -> float:
    """Root mean squared error."""
    return math.sqrt(float(np.mean((y - predicted) ** 2)))


def rmse_standard_error(y: Vector, predicted: Vector) -> float:
    """Standard error of the RMSE by the delta method.

    The mean squared error is a mean of n squared errors, with standard error ``s / sqrt(n)``
    (s: their standard deviation). The square root's derivative at the MSE is ``1 / (2 RMSE)``, so
    ``se(RMSE) = s / (2 RMSE sqrt(n))`` (L. Wasserman, *All of Statistics*, 2004, theorem 5.13).
    It treats the rows as independent, and leaves out that the models share training rows.
    """
    squared = (y - predicted) ** 2
    mse = float(np.mean(squared))
    if mse == 0.0 or len(squared) < 2:
        return 0.0
    return float(np.std(squared, ddof=1)) / (2 * math.sqrt(mse * len(squared)))


def r2(y: Vector, predicted: Vector) -> float:
    """Coefficient of determination; NaN where the target does not vary."""
    total = float(np.sum((y - y.mean()) ** 2))
    return 1.0 - float(np.sum((y - predicted) ** 2)) / total if total > 0 else math.nan


def pearson(y: Vector, predicted: Vector) -> float:
    """Linear correlation; NaN where either does not vary."""
    if np.ptp(y) == 0 or np.ptp(predicted) == 0:  # less their mean, rounding would be left
        return math.nan
    a, b = y - y.mean(), predicted - predicted.mean()
    norm = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    return max(-1.0, min(1.0, float(a @ b) / norm)) if norm > 0 else math.nan


def spearman(y: Vector, predicted: Vector) -> float:
    """Rank correlation; ties get their mean rank."""
    from scipy.stats import rankdata

    return pearson(rankdata(y), rankdata(predicted))
