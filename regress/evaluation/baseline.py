"""What predicting the mean would score: the least that a model has to beat."""

from __future__ import annotations

import numpy as np

from regress.compute.arrays import weights_of
from regress.evaluation.metrics import Scores, Vector, mean_scores, score
from regress.evaluation.results import Results


def baseline_predictions(y: Vector, numbers: np.ndarray, weights: Vector | None) -> Vector:
    """Each row's prediction: the mean of the targets outside of its fold, shape (n_samples,)."""
    predicted = np.empty(len(y))
    for fold in range(int(numbers.max()) + 1):
        held = numbers == fold
        predicted[held] = np.average(y[~held], weights=weights_of(weights, ~held))
    return predicted


def baseline(results: Results, target: str) -> Scores:
    """Scores of that mean on a target; means over the splits into folds."""
    y, weights = results.truth(target), results.task.weights
    splits = [results.folds, *results.repeats]
    return mean_scores(
        [score(y, baseline_predictions(y, split.numbers, weights), weights) for split in splits]
    )
