"""SVR on precomputed kernels against scikit-learn's own RBF kernel in a pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, LinearSVR

from regress.data.folds import Folds, make_folds, row_keys
from regress.models.rbf import RBFModel
from regress.models.svr import TunedSVR
from regress.models.training import FoldData
from regress.models.tuning import tune
from tests.regress.plain import assert_saved, nested_predictions

GRID = {"gammas": [0.5, 1.0], "Cs": [0.5, 3.0], "epsilons": [0.1, 0.4]}


def problem(n: int, d: int) -> tuple[np.ndarray, np.ndarray, Folds]:
    rng = np.random.default_rng(n + d)
    X = (rng.standard_normal((n, d)) * rng.uniform(0.01, 5, d) + 3).astype(np.float32)
    y = 100 * np.sin(X[:, 0] - 3) + 30 * rng.standard_normal(n) + 1000
    return X, y[:, None], make_folds(row_keys(X), y, n_folds=4)


def plain(**params: float | str) -> TransformedTargetRegressor:
    return TransformedTargetRegressor(
        make_pipeline(StandardScaler(), SVR(**params)), transformer=StandardScaler()
    )


@pytest.mark.parametrize(("n", "d"), [(120, 6), (80, 200)])
def test_nested_predictions_equal_scikit_learn(n: int, d: int) -> None:
    X, Y, folds = problem(n, d)
    [tuned] = tune(FoldData(X, Y, folds), [TunedSVR(**GRID)])
    expected, _ = nested_predictions(
        plain(),
        lambda d: {
            "regressor__svr__gamma": [gamma / d for gamma in GRID["gammas"]],
            "regressor__svr__C": GRID["Cs"],
            "regressor__svr__epsilon": GRID["epsilons"],
        },
        X.astype(np.float64),
        Y[:, 0],
        folds,
    )
    np.testing.assert_allclose(tuned.predictions[:, 0], expected, rtol=0, atol=1e-6)


def test_gamma_is_in_units_of_scale_constant_columns_or_not() -> None:
    X, Y, _ = problem(80, 12)
    X[:, [1, 7]] = 0.3, -1e4
    model = TunedSVR([1.0], [2.0], [0.2], cv=4).fit(X, Y[:, 0]).model_
    reference = plain(gamma="scale", C=2.0, epsilon=0.2).fit(X.astype(np.float64), Y[:, 0])
    expected = reference.predict(X.astype(np.float64))
    np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=1e-6)


def test_several_targets_are_fitted_one_by_one() -> None:
    X, Y, folds = problem(80, 12)
    both = np.hstack([Y, -2 * Y + X[:, :1]])
    [together] = tune(FoldData(X, both, folds), [TunedSVR(**GRID)])
    for target in range(2):
        [alone] = tune(FoldData(X, both[:, [target]], folds), [TunedSVR(**GRID)])
        # BLAS sums a matrix of two targets in another order than one column, by processor.
        np.testing.assert_allclose(
            together.predictions[:, target], alone.predictions[:, 0], rtol=1e-10
        )


def test_a_saved_model_keeps_its_support_vectors(tmp_path: Path) -> None:
    X, Y, _ = problem(80, 12)
    model = TunedSVR(cv=4).fit(X, Y[:, 0]).model_
    loaded = RBFModel.load(model.save(tmp_path / "000-svr"))
    assert_saved(loaded, model)
    assert loaded.support.dtype == np.float32
    assert {row.tobytes() for row in loaded.support} <= {row.tobytes() for row in X}


def test_a_target_that_is_constant_in_training_is_predicted() -> None:
    X, Y, folds = problem(40, 5)
    Y[:, 0] = np.where(folds.numbers == 0, Y[:, 0], 7.0)
    [tuned] = tune(FoldData(X, Y, folds), [TunedSVR(**GRID)])
    np.testing.assert_allclose(tuned.predictions[folds.numbers == 0], 7.0)


def test_with_every_row_a_landmark_it_is_scikit_learns_nystroem() -> None:
    X, Y, _ = problem(80, 5)
    exact, weights = X.astype(np.float64), np.ones(80)
    regressor = TunedSVR([1.0], [3.0], [0.1], max_rows=79, n_landmarks=200, cv=4)
    scaler, of_y = StandardScaler().fit(exact), StandardScaler().fit(Y)
    features = Nystroem(gamma=1 / 5, n_components=80).fit(scaler.transform(exact))
    F = features.transform(scaler.transform(exact))
    linear = LinearSVR(
        loss="squared_epsilon_insensitive", dual=False, C=3.0, epsilon=0.1, tol=1e-9
    ).fit(F, of_y.transform(Y)[:, 0], sample_weight=weights)
    expected = linear.predict(F) * of_y.scale_ + of_y.mean_
    np.testing.assert_allclose(regressor.fit(X, Y[:, 0]).predict(X), expected, atol=1e-3)


def test_a_few_landmarks_come_close_and_it_says_so() -> None:
    X, Y, folds = problem(400, 3)
    exact, few = TunedSVR(**GRID), TunedSVR(**GRID, max_rows=399, n_landmarks=60)
    assert exact.note(400) == ""
    assert "more than 399, the kernel is approximated from 60" in few.note(400)
    errors = []
    for regressor in (exact, few):
        [tuned] = tune(FoldData(X, Y, folds), [regressor])
        errors.append(np.sqrt(np.mean((tuned.predictions - Y) ** 2)))
    assert errors[1] < 1.1 * errors[0]
    [again] = tune(FoldData(X, Y, folds), [few], n_jobs=1)
    # The eigenvectors of the landmarks turn on how BLAS adds, and the features on these.
    np.testing.assert_allclose(again.predictions, tuned.predictions, rtol=1e-5)
