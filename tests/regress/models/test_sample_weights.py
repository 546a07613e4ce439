"""Sample weights against scikit-learn and LightGBM with the same weights."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from features.errors import InputError
from regress.data.folds import Folds, make_folds, row_keys
from regress.data.task import checked_task
from regress.evaluation.metrics import rmse_standard_error, score
from regress.models.lightgbm import TunedLightGBM
from regress.models.ridge import TunedRidge
from regress.models.svr import TunedSVR
from regress.models.training import FoldData
from regress.models.tuning import tune

ALPHAS = [1.0, 30.0, 1000.0]


def problem(n: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, Folds]:
    rng = np.random.default_rng(n + d)
    X = (rng.standard_normal((n, d)) * rng.uniform(0.01, 5, d) + 7).astype(np.float32)
    X[:, 1] = 0
    weights = rng.uniform(0.1, 4, n)
    noise = 40 * rng.standard_normal(n) / np.sqrt(weights)
    y = 100 * np.tanh(X[:, 0] - 7) + noise + 1000
    return X, y[:, None], weights / weights.mean(), make_folds(row_keys(X), y, n_folds=4)


def weighted_ridge(X: Any, y: Any, w: Any, new: Any, setting: dict[str, float]) -> np.ndarray:
    scaler = StandardScaler().fit(X, sample_weight=w)
    ridge = Ridge(setting["alpha"], solver="svd")
    return ridge.fit(scaler.transform(X), y, sample_weight=w).predict(scaler.transform(new))


def weighted_svr(X: Any, y: Any, w: Any, new: Any, setting: dict[str, float]) -> np.ndarray:
    scaler = StandardScaler().fit(X, sample_weight=w)
    of_y = StandardScaler().fit(y[:, None], sample_weight=w)
    gamma = setting["gamma"] / (X.shape[1] - 1)
    svr = SVR(gamma=gamma, C=setting["C"], epsilon=setting["epsilon"])
    svr.fit(scaler.transform(X), of_y.transform(y[:, None])[:, 0], sample_weight=w)
    return svr.predict(scaler.transform(new)) * of_y.scale_[0] + of_y.mean_[0]


def nested(fit: Any, settings: Any, X: Any, y: Any, w: Any, folds: Folds) -> np.ndarray:
    """Nested predictions, the plain way, with a weighted choice."""
    predicted = np.empty(len(y))
    for outer in range(folds.n_folds):
        train, test = folds.numbers != outer, folds.numbers == outer
        errors = np.zeros(len(settings))
        for inner in set(range(folds.n_folds)) - {outer}:
            held, fitted = folds.numbers == inner, train & (folds.numbers != inner)
            for i, setting in enumerate(settings):
                out = fit(X[fitted], y[fitted], w[fitted], X[held], setting)
                errors[i] += mean_squared_error(y[held], out, sample_weight=w[held])
        best = settings[errors.argmin()]
        predicted[test] = fit(X[train], y[train], w[train], X[test], best)
    return predicted


@pytest.mark.parametrize(
    ("regressor", "fit", "d", "tolerance"),
    [
        (TunedRidge(ALPHAS), weighted_ridge, 9, 1e-8),
        (TunedRidge(ALPHAS), weighted_ridge, 150, 1e-8),
        (TunedSVR([0.5, 1.0], [0.5, 3.0], [0.1]), weighted_svr, 9, 1e-5),
    ],
)
def test_fit_choice_and_score_are_weighted(
    regressor: Any, fit: Any, d: int, tolerance: float
) -> None:
    X, Y, weights, folds = problem(100, d)
    [tuned] = tune(FoldData(X, Y, folds, weights), [regressor])
    exact = X.astype(np.float64)
    expected = nested(fit, regressor.settings(), exact, Y[:, 0], weights, folds)
    np.testing.assert_allclose(tuned.predictions[:, 0], expected, rtol=0, atol=tolerance)
    whole = fit(exact, Y[:, 0], weights, exact, tuned.settings[tuned.final[0]])
    np.testing.assert_allclose(tuned.models[0].predict(X), whole, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("regressor", "fit", "tolerance"),
    [
        (TunedRidge(ALPHAS, cv=4), weighted_ridge, 1e-8),
        (TunedSVR([0.5, 1.0], [0.5, 3.0], [0.1], cv=4), weighted_svr, 1e-5),
    ],
)
def test_the_estimators_fit_is_weighted(regressor: Any, fit: Any, tolerance: float) -> None:
    X, Y, weights, folds = problem(100, 9)
    weights = 3 * weights  # as they are: no mean of one
    exact, errors = X.astype(np.float64), []
    for setting in regressor.settings():
        of_fold = []
        for fold in range(4):
            train, held = folds.numbers != fold, folds.numbers == fold
            predicted = fit(exact[train], Y[train, 0], weights[train], exact[held], setting)
            of_fold.append(mean_squared_error(Y[held], predicted, sample_weight=weights[held]))
        errors.append(np.mean(of_fold))
    best = regressor.settings()[int(np.argmin(errors))]
    regressor.fit(X, Y[:, 0], sample_weight=weights)
    assert regressor.params_ == best
    expected = fit(exact, Y[:, 0], weights, exact, best)
    np.testing.assert_allclose(regressor.predict(X), expected, rtol=0, atol=tolerance)


def test_lightgbm_gets_the_weights() -> None:
    X, Y, weights, folds = problem(120, 10)
    [tuned] = tune(FoldData(X, Y, folds, weights), [TunedLightGBM(20, 20)], nested=False)
    params = {
        "objective": "regression", "learning_rate": 0.05, "num_leaves": 8, "min_data_in_leaf": 6,
        "max_bin": 31, "extra_trees": True, "feature_fraction": 1.0, "seed": 0,
        "deterministic": True, "force_col_wise": True, "num_threads": 1, "verbosity": -1,
    }  # fmt: skip
    mean = np.average(Y[:, 0], weights=weights)
    data = lightgbm.Dataset(X, Y[:, 0] - mean, weight=weights, params=params)
    expected = lightgbm.train(params, data, 20).predict(X) + mean
    np.testing.assert_allclose(tuned.models[0].predict(X), expected, rtol=0, atol=1e-9)
    fitted = TunedLightGBM(20, 20, cv=4).fit(X, Y[:, 0], sample_weight=weights)
    np.testing.assert_allclose(fitted.predict(X), expected, rtol=0, atol=1e-9)


# libsvm stops within a tolerance of 1e-3 standard deviations, and where may turn on the last bit.
@pytest.mark.parametrize(
    ("regressor", "tolerance"), [(TunedRidge(ALPHAS), 1e-8), (TunedSVR([0.5], [1.0], [0.1]), 0.2)]
)
def test_equal_weights_change_nothing(regressor: Any, tolerance: float) -> None:
    X, Y, _, folds = problem(80, 9)
    [plain] = tune(FoldData(X, Y, folds), [regressor])
    [weighted] = tune(FoldData(X, Y, folds, np.ones(80)), [regressor])
    np.testing.assert_allclose(weighted.predictions, plain.predictions, rtol=0, atol=tolerance)


def test_a_weighted_target_may_be_constant_in_training() -> None:
    X, Y, weights, folds = problem(40, 5)
    Y[:, 0] = np.where(folds.numbers == 0, Y[:, 0], 7.1)
    [tuned] = tune(FoldData(X, Y, folds, weights), [TunedSVR([0.5], [1.0], [0.1])])
    np.testing.assert_allclose(tuned.predictions[folds.numbers == 0], 7.1)


def test_scores_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y, w = rng.standard_normal(50), rng.uniform(0.1, 3, 50)
    predicted = y + rng.standard_normal(50)
    scores = score(y, predicted, w)
    assert scores.rmse**2 == pytest.approx(mean_squared_error(y, predicted, sample_weight=w))
    assert scores.mae == pytest.approx(mean_absolute_error(y, predicted, sample_weight=w))
    assert scores.r2 == pytest.approx(r2_score(y, predicted, sample_weight=w))
    covariance = np.cov(y, predicted, aweights=w)
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert scores.pearson == pytest.approx(correlation)
    ones = np.ones(50)
    assert rmse_standard_error(y, predicted, ones) == pytest.approx(
        rmse_standard_error(y, predicted)
    )


def test_only_ratios_of_weights_count() -> None:
    texts, y, weights = ["a", "b", "c"], [1.0, 2.0, 3.0], np.array([1.0, 2.0, 5.0])
    for factor in (1.0, 1e-12, 3e300):
        task = checked_task(texts, y, sample_weight=weights * factor)
        np.testing.assert_allclose(task.weights, weights / weights.mean())


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_a_weight_that_is_none_names_its_row(wrong: float) -> None:
    with pytest.raises(InputError, match=r"a sample weight .* is .* in row 2: mend"):
        checked_task(["a", "b", "c"], [1.0, 2.0, 3.0], sample_weight=[1.0, wrong, 1.0])
    with pytest.raises(InputError, match="in row 7: mend"):
        checked_task(["a", "b"], [1.0, 2.0], sample_weight=[1.0, wrong], rows=[4, 7])


def test_weights_too_far_apart() -> None:
    with pytest.raises(InputError, match="too far apart"):
        checked_task(["a", "b"], [1.0, 2.0], sample_weight=[5e-324, 1e308])
