"""LightGBM: the same numbers each time, and those of LightGBM itself."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import pytest

from regress.data.folds import Folds, make_folds, row_keys
from regress.models.lightgbm import BoostedModel, TunedLightGBM
from regress.models.training import FoldData
from regress.models.tuning import tune
from tests.regress.plain import splits

SMALL = {"max_rounds": 60, "step": 5, "columns_per_tree": 10}


def problem(n: int = 150, d: int = 40) -> tuple[np.ndarray, np.ndarray, Folds]:
    rng = np.random.default_rng(n + d)
    X = rng.standard_normal((n, d)).astype(np.float32)
    y = 10 * np.abs(X[:, 0]) + X[:, 1] + rng.standard_normal(n) + 500
    return X, y[:, None], make_folds(row_keys(X), y, n_folds=4)


def test_threads_and_repeats_change_nothing() -> None:
    X, Y, folds = problem()
    runs = [tune(FoldData(X, Y, folds), [TunedLightGBM(**SMALL)], n_jobs=n) for n in (1, 3, 3)]
    for [run] in runs[1:]:
        # Exact: each training takes one thread, which adds in one order.
        np.testing.assert_array_equal(run.predictions, runs[0][0].predictions)
        assert run.models == runs[0][0].models


def test_nested_predictions_are_lightgbms_own() -> None:
    X, Y, folds = problem()
    [tuned] = tune(FoldData(X, Y, folds), [TunedLightGBM(**SMALL)])
    params = {
        "objective": "regression", "learning_rate": 0.05, "num_leaves": 8, "min_data_in_leaf": None,
        "max_bin": 31, "extra_trees": True, "feature_fraction": 0.25, "seed": 0,
        "deterministic": True, "force_col_wise": True, "num_threads": 1, "verbosity": -1,
    }  # fmt: skip
    for fold, (train, test) in enumerate(splits(folds)):
        rounds = int(tuned.settings[tuned.chosen[fold, 0]]["rounds"])
        params["min_data_in_leaf"] = len(train) // 20
        mean = Y[train, 0].mean()
        data = lightgbm.Dataset(X[train], Y[train, 0] - mean, params=params)
        expected = lightgbm.train(params, data, rounds).predict(X[test]) + mean
        np.testing.assert_allclose(tuned.predictions[test, 0], expected, rtol=0, atol=1e-9)


def test_what_targets_are_counted_from_changes_nothing() -> None:
    """LightGBM's own float32 would hold none of what tells these apart."""
    X, Y, folds = problem()
    Y = np.round(Y * 64) / 64
    [near] = tune(FoldData(X, Y, folds), [TunedLightGBM(**SMALL)])
    [far] = tune(FoldData(X, Y + 2.0**31, folds), [TunedLightGBM(**SMALL)])
    np.testing.assert_allclose(far.predictions - 2.0**31, near.predictions, rtol=0, atol=1e-4)
    fitted = TunedLightGBM(**SMALL).fit(X, Y[:, 0] + 2.0**31).predict(X) - 2.0**31
    plain = TunedLightGBM(**SMALL).fit(X, Y[:, 0]).predict(X)
    np.testing.assert_allclose(fitted, plain, rtol=0, atol=1e-4)


def test_it_learns_what_a_line_cannot() -> None:
    X, Y, folds = problem(300, 10)
    [tuned] = tune(FoldData(X, Y, folds), [TunedLightGBM(max_rounds=200)])
    residual = np.mean((tuned.predictions - Y) ** 2)
    assert residual < 0.5 * Y.var()


def test_a_saved_model_is_the_same(tmp_path: Path) -> None:
    X, Y, _ = problem()
    model = TunedLightGBM(**SMALL).fit(X, Y[:, 0]).model_
    path = model.save(tmp_path / "000-lightgbm")
    assert path.read_text(encoding="utf-8").startswith("tree\n")
    assert BoostedModel.load(path) == model


@pytest.mark.parametrize("n", [8, 12])
def test_a_handful_of_rows_is_enough(n: int) -> None:
    X, Y, _ = problem(n, 3)
    predicted = TunedLightGBM(**SMALL, cv=4).fit(X, Y[:, 0]).predict(X)
    assert (np.abs(predicted - Y.mean()) <= np.ptp(Y)).all()
