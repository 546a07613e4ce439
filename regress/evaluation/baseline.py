"""What every score is held against: predicting the mean target of the training texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from regress.compute.arrays import weights_of
from regress.data.folds import Folds
from regress.data.task import Task
from regress.evaluation.leaderboard import LeaderboardRow, leaderboard_row
from regress.evaluation.metrics import Vector, rmse

#: What the baseline is called wherever results are listed.
BASELINE = "training mean"


def training_mean(y: Vector, folds: Folds, weights: Vector | None = None) -> Vector:
    """Each row by the mean of the rows outside its fold, shape (n_samples,).

    The fold's own rows do not count, as they do not for any model's nested predictions. With
    weights, means are weighted. Rows whose target is missing (NaN) count nowhere.
    """
    known = ~np.isnan(y)
    w = known.astype(np.float64) if weights is None else weights * known
    numbers, shift = folds.numbers, y[known][0]  # equal targets give that very target
    sums = np.bincount(numbers, w * np.where(known, y - shift, 0.0), folds.n_folds)
    counts = np.bincount(numbers, w, folds.n_folds)
    means: Vector = shift + (sums.sum() - sums) / (counts.sum() - counts)
    return means[numbers]


def baseline_row(task: Task, target: int, splits: Sequence[Folds]) -> LeaderboardRow:
    """The baseline of one target as a row like any other, scored on each split.

    Parameters
    ----------
    target
        Its number among the task's.
    """
    y, weights = task.Y[:, target], task.weights
    rows = task.known(target)
    known, of_rows = y[rows], weights_of(weights, rows)
    mean = np.full(len(known), np.average(known, weights=of_rows))
    return leaderboard_row(
        "baseline", BASELINE, "", (), 0,
        task=task, target=target, folds=splits[0],
        predictions=[training_mean(y, folds, weights) for folds in splits],
        naive_rmse=rmse(known, mean, of_rows), params={}, name=BASELINE,
    )  # fmt: skip
