"""What every score is held against: predicting the mean target of the training texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from regress.data.folds import Folds
from regress.data.task import Task
from regress.evaluation.leaderboard import LeaderboardRow, leaderboard_row
from regress.evaluation.metrics import Vector, rmse

#: What the baseline is called wherever results are listed.
BASELINE = "training mean"


def training_mean(y: Vector, folds: Folds, weights: Vector | None = None) -> Vector:
    """Each row by the mean of the rows outside its fold, shape (n_samples,).

    The fold's own rows do not count, as they do not for any model's nested predictions. With
    weights, means are weighted.
    """
    w = np.ones(len(y)) if weights is None else weights
    numbers, shift = folds.numbers, y[0]  # equal targets give that very target
    sums = np.bincount(numbers, w * (y - shift), folds.n_folds)
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
    mean = np.full(len(y), np.average(y, weights=weights))
    return leaderboard_row(
        "baseline", BASELINE, "", (), 0,
        task=task, target=target, folds=splits[0],
        predictions=[training_mean(y, folds, weights) for folds in splits],
        naive_rmse=rmse(y, mean, weights), params={}, name=BASELINE,
    )  # fmt: skip
