"""RMSE against the number of training texts: would more labels help?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.banks import Banks
from regress.compute.arrays import Matrix, weights_of
from regress.data.folds import Folds
from regress.evaluation.leaderboard import LeaderboardRow
from regress.evaluation.metrics import rmse, rmse_standard_error

if TYPE_CHECKING:
    from regress.evaluation.results import Results

#: Multiplications that all points of a curve may take: about two seconds of one core.
BUDGET = 2e10

#: What the curve may hold in memory: values of X.
MAX_VALUES = 4e7

#: The smallest training set that says anything, and the points that a curve has at the most.
MIN_TEXTS, MAX_POINTS = 20, 7


@dataclass(frozen=True)
class Point:
    """RMSE, with its standard error, of ridge on this many training texts."""

    n_texts: int
    rmse: float
    se: float


@dataclass(frozen=True)
class LearningCurve:
    """Points of a selection, the fewest training texts first."""

    select: str
    points: Sequence[Point]


def learning_curve(experiment: Results, target: str, best: LeaderboardRow) -> LearningCurve | None:
    """Ridge on the selection of `best`, trained on ever larger parts of the training folds.

    Every held-out fold is predicted from the same number of texts, drawn from the other folds;
    alpha is the one that does best on the other held-out folds. None where it would take longer
    than a glance at it is worth, and where each fold has a bank of its own.
    """
    from regress.data.matrix import term_matrix
    from regress.data.patterns import task_part

    if type(experiment.banks) is not Banks:
        return None  # a blend's, or encoders that have seen the texts a curve would be scored on
    task = experiment.task
    part = task_part(task, [experiment.folds], [task.target_names.index(target)])
    [folds] = part.splits
    X_values = len(folds) * best.n_columns
    n_full = int(len(folds) * (1 - 1 / folds.n_folds))
    sizes = _affordable(n_full, best.n_columns, folds)
    full = next(
        (row for row in experiment.rows(target)
         if row.kind != "auto" and (row.model, row.select) == ("ridge", best.select)),
        None,
    )  # fmt: skip
    if X_values > MAX_VALUES or not sizes:
        return None
    X = term_matrix(experiment.banks.by_name, part.task.keys, best.terms)
    y, weights = part.task.Y[:, 0], part.task.weights
    points = [_point(X, y, weights, folds, n) for n in sizes if full is None or n < n_full]
    if full is not None:
        points.append(Point(n_full, full.scores.rmse, full.scores.se))
    return LearningCurve(best.select, points) if len(points) > 2 else None


def _affordable(n_full: int, n_columns: int, folds: Folds) -> list[int]:
    """Sizes that the budget allows, from the smallest up to the full one, by equal ratios."""
    ratio = max(0.5, (MIN_TEXTS / n_full) ** (1 / (MAX_POINTS - 1)))
    falling = [round(n_full * ratio**k) for k in range(MAX_POINTS)]
    sizes, spent = [], 0.0
    for n in sorted({n for n in falling if n >= MIN_TEXTS}):
        side = min(n, n_columns)
        held = len(folds) / folds.n_folds
        # A tridiagonalisation runs at a fraction of the speed of a matrix product.
        spent += folds.n_folds * (n * n_columns * side + 4 * side**3 + held * n_columns * 40)
        if spent > BUDGET:
            break
        sizes.append(n)
    return sizes


def _point(X: NDArray[Any], y: Matrix, weights: Matrix | None, folds: Folds, n_texts: int) -> Point:
    from regress.compute.parallel import run_jobs

    jobs = [(fold,) for fold in range(folds.n_folds)]
    held = run_jobs(partial(_predict_fold, X, y, weights, folds, n_texts), jobs)
    errors = np.stack(
        [
            np.average(
                (predicted - y[rows, None]) ** 2,
                axis=0,
                weights=weights_of(weights, rows),
            )
            for rows, predicted in held
        ]
    )
    best = np.empty(len(y))
    for fold, (rows, predicted) in enumerate(held):
        best[rows] = predicted[:, np.delete(errors, fold, axis=0).mean(axis=0).argmin()]
    return Point(n_texts, rmse(y, best, weights), rmse_standard_error(y, best, weights))


def _predict_fold(
    X: NDArray[Any], y: Matrix, weights: Matrix | None, folds: Folds, n_texts: int, fold: int
) -> tuple[NDArray[np.int64], Matrix]:
    """Rows of a fold, and their predictions at every alpha, (n_held, n_alphas)."""
    from regress.models.ridge import TunedRidge
    from regress.models.training import FoldData

    held = folds.rows([fold])
    others = np.setdiff1d(np.arange(len(y)), held)
    # One order per fold: a smaller training set is a part of every larger one.
    order = np.random.default_rng([folds.seed, fold]).permutation(others)
    rows = np.sort(np.concatenate([order[:n_texts], held]))
    part = Folds(folds.numbers[rows], folds.n_folds, folds.scheme, folds.seed, "")
    training = FoldData(X[rows], y[rows, None], part, weights_of(weights, rows)).training([fold])
    return rows[training.held_rows], TunedRidge().path(training)[:, :, 0]
