"""RMSE on parts of the texts: groups, categories, or fifths of a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regress.compute.arrays import numbered, weights_of
from regress.evaluation.metrics import Vector, rmse, rmse_standard_error

#: Parts of a chart; and distinct numbers that are still taken for categories, such as grades.
MAX_PARTS, MAX_VALUES = 30, 12

#: Parts that numbers are divided into.
N_QUANTILES = 5

#: What empty cells are called.
EMPTY = "(empty)"


@dataclass(frozen=True, eq=False)
class Share:
    """RMSE of the best result on some of the rows."""

    name: str
    n_texts: int
    rmse: float
    se: float


def shares_by(
    y: Vector, predicted: Vector, cells: Sequence[object], weights: Vector | None = None
) -> list[Share]:
    """RMSE by what stands in a column.

    Numbers of more than `MAX_VALUES` distinct values are divided into fifths, the lowest first,
    and empty cells are a part of their own. Everything else is a category: the largest ones, the
    highest RMSE first.
    """
    words = [EMPTY if cell is None or str(cell).strip() == "" else str(cell) for cell in cells]
    numbers = _numbers(words)
    if numbers is None or len(np.unique(numbers[~np.isnan(numbers)])) <= MAX_VALUES:
        return shares_of(y, predicted, words, weights)
    known = numbers[~np.isnan(numbers)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, N_QUANTILES + 1)))
    part = np.searchsorted(edges[1:-1], numbers, side="right")
    shares = []
    for fifth in range(len(edges) - 1):
        rows = np.flatnonzero((part == fifth) & ~np.isnan(numbers))
        if len(rows):
            name = f"{numbers[rows].min():.4g} to {numbers[rows].max():.4g}"
            shares.append(_share(name, rows, y, predicted, weights))
    if len(rows := np.flatnonzero(np.isnan(numbers))):
        shares.append(_share(EMPTY, rows, y, predicted, weights))
    return shares


def shares_of(
    y: Vector, predicted: Vector, names: Sequence[object], weights: Vector | None = None
) -> list[Share]:
    """The largest groups of rows of one name, the highest RMSE first."""
    distinct, which = numbered(names)
    counts = np.bincount(which)
    shares = [
        _share(distinct[group], np.flatnonzero(which == group), y, predicted, weights)
        for group in np.argsort(-counts, kind="stable")[:MAX_PARTS]
    ]
    return sorted(shares, key=lambda share: -share.rmse)


def _share(
    name: str, rows: NDArray[np.int64], y: Vector, predicted: Vector, weights: Vector | None
) -> Share:
    part = (y[rows], predicted[rows], weights_of(weights, rows))
    return Share(name, len(rows), rmse(*part), rmse_standard_error(*part))


def _numbers(words: Sequence[str]) -> Vector | None:
    """Words as numbers, NaN for empty ones; None where one is no finite number."""
    found = []
    for word in words:
        try:
            found.append(math.nan if word == EMPTY else float(word))
        except ValueError:
            return None
        if word != EMPTY and not math.isfinite(found[-1]):
            return None
    return np.array(found)
