"""Nested ridge against nested scikit-learn, in float64, on the same folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from regress.data.folds import Folds, make_folds, row_keys
from regress.models.ridge import RidgeModel, TunedRidge
from regress.models.training import FoldData
from regress.models.tuning import tune
from tests.regress.plain import assert_saved, nested_predictions

ALPHAS = [0.1, 1.0, 10.0, 100.0, 1000.0]


def problem(n: int, d: int, n_targets: int = 1) -> tuple[np.ndarray, np.ndarray, Folds]:
    rng = np.random.default_rng(n + d)
    hidden = rng.standard_normal((n, 5))
    X = hidden @ rng.standard_normal((5, d)) + rng.standard_normal((n, d))
    X = (X * rng.uniform(0.01, 5, d) + rng.uniform(-20, 20, d)).astype(np.float32)
    X[:, 0], X[:, d // 2] = 0.25, -3.0e4
    Y = hidden[:, :n_targets] * 50 + rng.standard_normal((n, n_targets)) * 30 + 1000
    return X, Y, make_folds(row_keys(X), Y)


@pytest.mark.parametrize("solver", ["cholesky", "svd"])
@pytest.mark.parametrize(("n", "d"), [(150, 12), (100, 59), (100, 61), (60, 400)])
def test_nested_predictions_equal_scikit_learn(n: int, d: int, solver: str) -> None:
    X, Y, folds = problem(n, d)
    [tuned] = tune(FoldData(X, Y, folds), [TunedRidge(ALPHAS)])
    expected, chosen = nested_predictions(
        make_pipeline(StandardScaler(), Ridge(solver=solver)),
        lambda _: {"ridge__alpha": ALPHAS},
        X.astype(np.float64),
        Y[:, 0],
        folds,
    )
    np.testing.assert_allclose(tuned.predictions[:, 0], expected, rtol=0, atol=1e-8)
    assert [tuned.settings[at]["alpha"] for at in tuned.chosen[:, 0]] == [
        best["ridge__alpha"] for best in chosen
    ]


@pytest.mark.parametrize("d", [12, 400])
def test_targets_share_factorisations_and_change_nothing(d: int) -> None:
    X, Y, folds = problem(100, d, n_targets=3)
    [together] = tune(FoldData(X, Y, folds), [TunedRidge(ALPHAS)])
    for target in range(3):
        [alone] = tune(FoldData(X, Y[:, [target]], folds), [TunedRidge(ALPHAS)])
        np.testing.assert_allclose(
            together.predictions[:, target], alone.predictions[:, 0], atol=1e-9
        )
        np.testing.assert_allclose(
            together.models[target].predict(X), alone.models[0].predict(X), atol=1e-9
        )


@pytest.mark.parametrize("d", [12, 400])
def test_the_refit_equals_a_pipeline_on_all_rows(d: int) -> None:
    X, Y, folds = problem(100, d)
    [tuned] = tune(FoldData(X, Y, folds), [TunedRidge(ALPHAS)])
    alpha = tuned.settings[tuned.final[0]]["alpha"]
    plain = make_pipeline(StandardScaler(), Ridge(alpha, solver="svd"))
    plain.fit(X.astype(np.float64), Y[:, 0])
    new = problem(40, d)[0]
    predicted = tuned.models[0].predict(new)
    np.testing.assert_allclose(predicted, plain.predict(new.astype(np.float64)), atol=1e-8)


def test_threads_change_nothing() -> None:
    X, Y, folds = problem(100, 30)
    [one] = tune(FoldData(X, Y, folds), [TunedRidge()], n_jobs=1)
    [two] = tune(FoldData(X, Y, folds), [TunedRidge()], n_jobs=2)
    # BLAS may add in another order where an array begins elsewhere in memory.
    np.testing.assert_allclose(one.predictions, two.predictions, rtol=1e-10)


def test_a_saved_model_is_the_same(tmp_path: Path) -> None:
    X, Y, _ = problem(100, 30)
    model = TunedRidge().fit(X, Y[:, 0]).model_
    assert_saved(RidgeModel.load(model.save(tmp_path / "000-ridge")), model)


@pytest.mark.parametrize(
    ("alphas", "message"),
    [
        ([0.0, 1.0], "must be above 0, not"),
        (["a"], r"must be a list of numbers above 0, not \['a'\]"),
        ([], "alphas is empty: give at least one"),
    ],
)
def test_alphas_must_be_positive_numbers(alphas: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TunedRidge(alphas).fit(np.eye(12), np.arange(12.0))


def test_what_targets_are_counted_from_changes_nothing() -> None:
    """A float64 around 2**40 holds steps of 2e-4."""
    X, Y, folds = problem(150, 12)
    Y = np.round(Y * 64) / 64
    [near] = tune(FoldData(X, Y, folds), [TunedRidge(ALPHAS)])
    [far] = tune(FoldData(X, Y + 2.0**40, folds), [TunedRidge(ALPHAS)])
    np.testing.assert_allclose(far.predictions - 2.0**40, near.predictions, rtol=0, atol=2e-3)
