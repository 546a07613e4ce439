"""How far predictions are from the target, and whether two results differ by more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from regress.compute.arrays import Matrix, weights_of

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


def score(y: Vector, predicted: Vector, weights: Vector | None = None) -> Scores:
    """Score predictions, both of shape (n_samples,); with weights, all scores are weighted."""
    return Scores(
        rmse=rmse(y, predicted, weights),
        se=rmse_standard_error(y, predicted, weights),
        mae=float(np.average(np.abs(y - predicted), weights=weights)),
        r2=r2(y, predicted, weights),
        pearson=pearson(y, predicted, weights),
        spearman=spearman(y, predicted, weights),
    )


def mean_scores(several: Sequence[Scores]) -> Scores:
    """The mean of each score, over repeats of a cross-validation.

    That of `se` too: repeats share their rows, so that they do not narrow it as new rows would.
    """
    names = [field.name for field in fields(Scores)]
    return Scores(**{name: float(np.mean([getattr(scores, name) for scores in several]))
                     for name in names})  # fmt: skip


def rmse(y: Vector, predicted: Vector, weights: Vector | None = None) -> float:
    """Root mean squared error."""
    return math.sqrt(float(np.average((y - predicted) ** 2, weights=weights)))


def rmse_by_fold(
    y: Vector, predicted: Vector, folds: NDArray[np.int64], weights: Vector | None = None
) -> list[float]:
    """RMSE of each fold, given the number of each row's fold, from 0."""
    held = [folds == fold for fold in range(int(folds.max()) + 1)]
    return [rmse(y[rows], predicted[rows], weights_of(weights, rows)) for rows in held]


def rmse_standard_error(y: Vector, predicted: Vector, weights: Vector | None = None) -> float:
    """Standard error of the RMSE by the delta method.

    The mean squared error is a mean of n squared errors, with standard error ``s / sqrt(n)``
    (s: their standard deviation). The square root's derivative at the MSE is ``1 / (2 RMSE)``, so
    ``se(RMSE) = s / (2 RMSE sqrt(n))`` (L. Wasserman, *All of Statistics*, 2004, theorem 5.13).
    A weighted mean of errors e has the standard error ``sqrt(sum(w^2 (e - mean)^2)) / sum(w)``,
    times ``sqrt(n / (n - 1))``, which for equal weights is the same.
    It treats the rows as independent, and leaves out that the models share training rows.
    """
    squared, n = (y - predicted) ** 2, len(y)
    mse = float(np.average(squared, weights=weights))
    if mse == 0.0 or n < 2:
        return 0.0
    if weights is None:
        return float(np.std(squared, ddof=1)) / (2 * math.sqrt(mse * n))
    spread = float(np.sqrt(np.sum((weights * (squared - mse)) ** 2)) / weights.sum())
    return spread * math.sqrt(n / (n - 1)) / (2 * math.sqrt(mse))


def r2(y: Vector, predicted: Vector, weights: Vector | None = None) -> float:
    """Coefficient of determination; NaN where the target does not vary."""
    if weights is None:
        weights = np.ones(len(y))
    total = float(np.sum(weights * (y - np.average(y, weights=weights)) ** 2))
    return 1.0 - float(np.sum(weights * (y - predicted) ** 2)) / total if total > 0 else math.nan


def pearson(y: Vector, predicted: Vector, weights: Vector | None = None) -> float:
    """Linear correlation; NaN where either does not vary."""
    if np.ptp(y) == 0 or np.ptp(predicted) == 0:  # less their mean, rounding would be left
        return math.nan
    a = y - np.average(y, weights=weights)
    b = predicted - np.average(predicted, weights=weights)
    if weights is not None:
        a, b = a * np.sqrt(weights), b * np.sqrt(weights)
    norm = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    return max(-1.0, min(1.0, float(a @ b) / norm)) if norm > 0 else math.nan


def spearman(y: Vector, predicted: Vector, weights: Vector | None = None) -> float:
    """Rank correlation; ties get their mean rank. Weights count in the correlation of ranks."""
    from scipy.stats import rankdata

    return pearson(rankdata(y), rankdata(predicted), weights)


#: Standard errors on either side of a 95 % interval.
Z95 = 1.96


class Difference(NamedTuple):
    """How far the RMSE of one result is above another's on the same rows.

    Attributes
    ----------
    value, se
        The difference in units of the target, and its standard error.
    """

    value: float
    se: float

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - Z95 * self.se

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + Z95 * self.se

    @property
    def ties(self) -> bool:
        """Whether the interval holds 0: the one rule by which results tie anywhere."""
        return self.low <= 0 <= self.high


def paired_standard_error(
    y: Vector,
    predicted: Matrix,
    other: Matrix,
    units: NDArray[np.int64] | None = None,
    weights: Vector | None = None,
) -> float:
    """Standard error of the difference between two RMSEs on the same rows.

    By the delta method, as in `rmse_standard_error`: a row adds
    ``e1^2 / (2 RMSE1) - e2^2 / (2 RMSE2)`` to the difference, with the errors e1 and e2. What both
    predictions miss alike cancels, so that this is much smaller than either RMSE's own standard
    error.

    Parameters
    ----------
    predicted, other
        Shape (n_samples,); or (n_splits, n_samples), where each RMSE is the mean over the splits
        and a row adds the mean of what it adds in each.
    units
        Shape (n_samples,), from 0: rows that are no independent witnesses, such as copies of a
        text or a group; None for each row by itself.
    weights
        Shape (n_samples,): how much each row counts; None for all alike.
    """
    w = np.ones(len(y)) if weights is None else weights
    of_row = _influence(y, predicted, w) - _influence(y, other, w)
    centred = w * (of_row - float(of_row @ w) / float(w.sum()))
    of_unit = centred if units is None else np.bincount(units, weights=centred)
    n_units = len(of_unit)
    if n_units < 2:
        return 0.0
    return math.sqrt(float(of_unit @ of_unit) * n_units / (n_units - 1)) / float(w.sum())


def _influence(y: Vector, predicted: Matrix, weights: Vector) -> Vector:
    """What each row adds to the RMSE, shape (n_samples,)."""
    added = []
    for split in np.atleast_2d(predicted):
        squared = (y - split) ** 2
        error = math.sqrt(float(squared @ weights) / float(weights.sum()))
        added.append(squared / (2 * error) if error > 0 else squared)
    mean: Vector = np.mean(added, axis=0)
    return mean
