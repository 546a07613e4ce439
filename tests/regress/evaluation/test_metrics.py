"""Scores against other people's implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from regress.evaluation.metrics import (
    paired_standard_error,
    rmse,
    rmse_by_fold,
    rmse_standard_error,
    score,
)


def test_scores_equal_scikit_learn_and_scipy() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal(200).round(1)
    predicted = y + rng.standard_normal(200).round(1)
    scores = score(y, predicted)
    assert scores.rmse == pytest.approx(sklearn_metrics.root_mean_squared_error(y, predicted))
    assert scores.mae == pytest.approx(sklearn_metrics.mean_absolute_error(y, predicted))
    assert scores.r2 == pytest.approx(sklearn_metrics.r2_score(y, predicted))
    assert scores.pearson == pytest.approx(stats.pearsonr(y, predicted).statistic)
    assert scores.spearman == pytest.approx(stats.spearmanr(y, predicted).statistic)


def test_standard_error_is_the_spread_over_samples() -> None:
    errors = np.random.default_rng(1).standard_normal((4000, 300))
    zero = np.zeros(300)
    spread = np.std([rmse(zero, e) for e in errors])
    assert np.mean([rmse_standard_error(zero, e) for e in errors]) == pytest.approx(
        spread, rel=0.05
    )


def test_constant_predictions_have_no_correlation() -> None:
    scores = score(np.arange(10.0), np.full(10, 0.1))
    assert math.isnan(scores.pearson)
    assert math.isnan(scores.spearman)
    assert math.isfinite(scores.r2)


def test_perfect_predictions() -> None:
    y = np.arange(5.0)
    scores = score(y, y.copy())
    assert (scores.rmse, scores.se, scores.r2) == (0, 0, 1)
    assert scores.pearson == pytest.approx(1)


def test_a_weight_of_two_is_two_rows() -> None:
    rng = np.random.default_rng(0)
    y, first, second = rng.standard_normal((3, 50))
    twice = np.repeat(np.arange(50), 2)
    weighted = paired_standard_error(y, first, second, weights=np.full(50, 2.0))
    copied = paired_standard_error(y[twice], first[twice], second[twice], units=twice)
    assert weighted == pytest.approx(copied)
    assert weighted == pytest.approx(paired_standard_error(y, first, second))
    assert paired_standard_error(y, y + 1, y + 1) == 0
    assert paired_standard_error(y, y, y) == 0


def test_folds_are_scored_apart() -> None:
    y, predicted = np.random.default_rng(0).standard_normal((2, 12))
    folds, weights = np.arange(12) % 3, np.arange(1.0, 13)
    of_last = rmse(y[2::3], predicted[2::3], weights[2::3])
    assert rmse_by_fold(y, predicted, folds, weights)[2] == pytest.approx(of_last)
    assert len(rmse_by_fold(y, predicted, folds)) == 3
