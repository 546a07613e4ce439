"""Could the difference between two scores be chance? A paired bootstrap says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regress.model import Matrix

#: Resamples of the rows.
N_RESAMPLES = 2000


@dataclass(frozen=True)
class Difference:
    """How far a result is behind the best.

    Attributes
    ----------
    behind
        Its RMSE less the best's.
    low, high
        95 % interval of that over resamples of the rows.
    ties
        Whether the interval holds 0.
    """

    behind: float
    low: float
    high: float
    ties: bool


def against_best(
    squared: Matrix,
    units: NDArray[np.int64] | None = None,
    weights: Matrix | None = None,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Compare results with the one of the lowest mean squared error.

    The rows are drawn with replacement, the same ones for every result, so that what all find
    hard cancels (B. Efron and R. Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 8).

    Parameters
    ----------
    squared
        Shape (n_results, n_samples): squared errors; or (n_results, n_repeats, n_samples), where
        a result's RMSE is the mean over repeats.
    units
        Shape (n_samples,), from 0: rows that are drawn together (copies of a text, a group); None
        for each row by itself.
    weights
        Shape (n_samples,): how much each row counts; None for all alike.
    """
    n = squared.shape[-1]
    errors = squared.reshape(len(squared), -1, n)
    w = np.ones(n) if weights is None else weights
    which = np.arange(n) if units is None else units
    n_units = int(which.max()) + 1
    sums = np.apply_along_axis(lambda row: np.bincount(which, row, n_units), 2, errors * w)
    sizes = np.bincount(which, w, n_units)
    behind = np.sqrt(np.average(errors, axis=2, weights=w)).mean(axis=1)
    best = int(behind.argmin())
    rng = np.random.default_rng(seed)
    drawn = np.empty((n_resamples, len(squared)))
    for i in range(n_resamples):
        times = np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)
        drawn[i] = np.sqrt(sums @ times / (sizes @ times)).mean(axis=1)
    differences = drawn - drawn[:, [best]]
    low, high = np.quantile(differences, [0.025, 0.975], axis=0)
    behind -= behind[best]
    return [
        Difference(float(b), float(lo), float(hi), bool(lo <= 0 <= hi))
        for b, lo, hi in zip(behind, low, high, strict=True)
    ]
