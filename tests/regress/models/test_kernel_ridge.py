"""Kernel ridge from one factorisation against scikit-learn's own in a pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from regress.data.folds import Folds, make_folds, row_keys
from regress.models.kernel_ridge import TunedKernelRidge
from regress.models.rbf import RBFModel
from regress.models.training import FoldData
from regress.models.tuning import tune
from tests.regress.plain import assert_saved, nested_predictions

GAMMAS, ALPHAS = [0.5, 1.0], [1e-3, 0.1, 3.0]


def problem(n: int, d: int) -> tuple[np.ndarray, np.ndarray, Folds]:
    rng = np.random.default_rng(n + d)
    X = (rng.standard_normal((n, d)) * rng.uniform(0.01, 5, d) + 3).astype(np.float32)
    y = 100 * np.sin(X[:, 0] - 3) + 30 * rng.standard_normal(n) + 1000
    return X, y[:, None], make_folds(row_keys(X), y, n_folds=4)


def plain(**params: float) -> TransformedTargetRegressor:
    return TransformedTargetRegressor(
        make_pipeline(StandardScaler(), KernelRidge(kernel="rbf", **params)),
        transformer=StandardScaler(with_std=False),
    )


@pytest.mark.parametrize(("n", "d"), [(120, 6), (80, 200)])
def test_nested_predictions_equal_scikit_learn(n: int, d: int) -> None:
    X, Y, folds = problem(n, d)
    [tuned] = tune(FoldData(X, Y, folds), [TunedKernelRidge(GAMMAS, ALPHAS)])
    expected, _ = nested_predictions(
        plain(),
        lambda d: {
            "regressor__kernelridge__gamma": [gamma / d for gamma in GAMMAS],
            "regressor__kernelridge__alpha": ALPHAS,
        },
        X.astype(np.float64),
        Y[:, 0],
        folds,
    )
    np.testing.assert_allclose(tuned.predictions[:, 0], expected, rtol=0, atol=1e-6)


def test_constant_columns_count_for_nothing() -> None:
    X, Y, _ = problem(80, 12)
    X[:, [1, 7]] = 0.3, -1e4
    model = TunedKernelRidge([1.0], [0.2], cv=4).fit(X, Y[:, 0]).model_
    reference = plain(gamma=1 / 10, alpha=0.2).fit(X.astype(np.float64), Y[:, 0])
    expected = reference.predict(X.astype(np.float64))
    np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=1e-6)


def test_weights_are_scikit_learns() -> None:
    X, Y, _ = problem(80, 12)
    weights = np.random.default_rng(0).uniform(0.2, 3, len(X))
    model = TunedKernelRidge([1.0], [0.2], cv=4).fit(X, Y[:, 0], sample_weight=weights).model_
    scaler = StandardScaler().fit(X.astype(np.float64), sample_weight=weights)
    mean = np.average(Y[:, 0], weights=weights)
    Z = scaler.transform(X.astype(np.float64))
    kernel_ridge = KernelRidge(kernel="rbf", gamma=1 / 12, alpha=0.2)
    expected = kernel_ridge.fit(Z, Y[:, 0] - mean, sample_weight=weights).predict(Z) + mean
    np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=1e-6)


def test_several_targets_share_what_is_factorised() -> None:
    X, Y, folds = problem(80, 12)
    both = np.hstack([Y, -2 * Y + X[:, :1]])
    [together] = tune(FoldData(X, both, folds), [TunedKernelRidge(GAMMAS, ALPHAS)])
    for target in range(2):
        data = FoldData(X, both[:, [target]], folds)
        [alone] = tune(data, [TunedKernelRidge(GAMMAS, ALPHAS)])
        np.testing.assert_allclose(
            together.predictions[:, target], alone.predictions[:, 0], rtol=1e-10
        )


@pytest.mark.parametrize("weighted", [False, True])
def test_landmarks_are_scikit_learns_nystroem(weighted: bool) -> None:
    X, Y, folds = problem(150, 8)
    weights = np.random.default_rng(1).uniform(0.2, 3, len(X)) if weighted else None
    approximate = TunedKernelRidge([1.0], [0.1], max_rows=100, n_landmarks=60)
    [tuned] = tune(FoldData(X, Y, folds, weights), [approximate])
    [model] = tuned.models
    assert isinstance(model, RBFModel)
    assert len(model.support) == 60
    scaler = StandardScaler().fit(X.astype(np.float64), sample_weight=weights)
    Z = scaler.transform(X.astype(np.float64))
    nystroem = Nystroem(gamma=1 / 8, n_components=60).fit(
        scaler.transform(model.support.astype(np.float64))
    )
    F = nystroem.transform(Z)
    mean, W = np.average(Y[:, 0], weights=weights), np.ones(len(X)) if weights is None else weights
    w = np.linalg.solve((F.T * W) @ F + 0.1 * np.eye(60), (F.T * W) @ (Y[:, 0] - mean))
    np.testing.assert_allclose(model.predict(X), F @ w + mean, rtol=0, atol=1e-5)
    assert "Nystroem" in approximate.note(150)
    assert approximate.note(100) == ""


def test_the_approximation_with_all_rows_is_exact() -> None:
    X, Y, folds = problem(120, 6)
    some = {"gammas": [1.0], "alphas": [0.1, 1.0]}
    [exact] = tune(FoldData(X, Y, folds), [TunedKernelRidge(**some)])
    [approximate] = tune(
        FoldData(X, Y, folds), [TunedKernelRidge(**some, max_rows=50, n_landmarks=1000)]
    )
    np.testing.assert_allclose(approximate.predictions, exact.predictions, rtol=1e-6)


def test_a_saved_model_is_the_same(tmp_path: Path) -> None:
    X, Y, _ = problem(80, 12)
    model = TunedKernelRidge(cv=4).fit(X, Y[:, 0]).model_
    loaded = RBFModel.load(model.save(tmp_path / "000-krr"))
    assert_saved(loaded, model)


@pytest.mark.parametrize("alphas", [[], [0.0], [1.0, -1.0]])
def test_alphas_are_above_zero(alphas: list[float]) -> None:
    X, Y, _ = problem(80, 12)
    with pytest.raises(ValueError, match="above 0"):
        TunedKernelRidge(alphas=alphas).fit(X, Y[:, 0])
