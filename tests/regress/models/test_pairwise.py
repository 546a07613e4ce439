"""Pairs of texts: the fast form against the plain one, pair by pair and anchor by anchor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from features.errors import InputError
from regress import TunedPairwise, TunedSVR, evaluate
from regress.data.folds import make_folds, row_keys
from regress.models.pairwise import pair_kernel, spread_anchors
from regress.models.training import FoldData
from regress.models.tuning import tune
from regress.report.tables import results_text
from tests.regress.conftest import MadeUpTask

MakeTask = Callable[..., MadeUpTask]


def problem(n: int = 60, d: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, d))
    return X, 50 * np.sin(X[:, 0]) + 5 * rng.standard_normal(n) + 200


@pytest.mark.parametrize("weights", [None, np.random.default_rng(1).uniform(0.2, 3, 60)])
def test_it_is_the_mean_over_anchors_of_an_svr_on_pairs(weights: np.ndarray | None) -> None:
    X, y = problem()
    regressor = TunedPairwise([0.5], [1.0], 0.1, n_pairs=3, n_anchors=5)
    predicted = regressor.fit(X, y, sample_weight=weights).predict(X[:7] + 0.1)

    scaler = StandardScaler().fit(X, sample_weight=weights)
    of_y = StandardScaler().fit(y[:, None], sample_weight=weights)
    Z, t = scaler.transform(X), of_y.transform(y[:, None])[:, 0]
    new = scaler.transform(X[:7] + 0.1)
    first, second = regressor._pairs(60)

    def kernel(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
        g = lambda u, v: 1 + rbf_kernel(u, v, gamma=0.5 / 4)  # noqa: E731
        return g(a, c) * g(b, d) - g(a, d) * g(b, c)

    pairs = (Z[first], Z[second])
    K = kernel(*pairs, *pairs)
    scale = K.diagonal().mean()
    of_pair = None if weights is None else np.sqrt(weights[first] * weights[second])
    svr = SVR(kernel="precomputed", C=1.0, epsilon=0.1)
    svr.fit(K / scale, t[first] - t[second], sample_weight=of_pair)
    expected = np.mean(
        [
            t[anchor] + svr.predict(kernel(new, np.tile(Z[anchor], (7, 1)), *pairs) / scale)
            for anchor in spread_anchors(t, 5)
        ],
        axis=0,
    )
    np.testing.assert_allclose(
        predicted,
        of_y.inverse_transform(expected[:, None])[:, 0],
        rtol=0,
        atol=0.1,  # libsvm stops within 1e-3 standard deviations
    )


def test_turning_a_pair_round_turns_its_sign() -> None:
    g = 1 + rbf_kernel(problem()[0])
    first, second = np.arange(20), np.arange(20, 40)
    K = pair_kernel(g, first, second)
    both = pair_kernel(g, np.r_[first, second], np.r_[second, first])
    np.testing.assert_allclose(both[20:, :20], -K, atol=1e-12)
    assert np.linalg.eigvalsh(K).min() > -1e-10


def test_for_ridge_all_pairs_are_ridge_again() -> None:
    X, y = problem(30)
    first, second = (pairs.ravel() for pairs in np.meshgrid(range(30), range(30)))
    # Summed over all ordered pairs, squares of differences are 2 n times those about the mean.
    of_pairs = Ridge(2 * 30 * 7.0, fit_intercept=False).fit(
        X[first] - X[second], y[first] - y[second]
    )
    np.testing.assert_allclose(of_pairs.coef_, Ridge(7.0).fit(X, y).coef_, rtol=1e-9)


def test_anchors_are_spread_over_the_target() -> None:
    y = np.random.default_rng(0).standard_normal(100)
    ranks = np.argsort(np.argsort(y))[spread_anchors(y, 4)]
    assert ranks.tolist() == [12, 37, 62, 87]
    assert sorted(spread_anchors(y[:3], 32)) == [0, 1, 2]


def test_nested_threads_and_weights() -> None:
    X, y = problem(80)
    folds = make_folds(row_keys(X), y)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, 80)
    runs = [
        tune(FoldData(X, np.c_[y, -y], folds, weights), [TunedPairwise()], n_jobs=n)[0]
        for n in (1, 2)
    ]
    # libsvm stops within 1e-3 standard deviations (36), and where may turn on BLAS's last bit.
    np.testing.assert_allclose(runs[0].predictions, runs[1].predictions, rtol=0, atol=0.1)
    assert np.corrcoef(runs[0].predictions[:, 0], y)[0, 1] > 0.8


def test_it_stands_beside_its_base(make_task: MakeTask) -> None:
    bank, texts, y = make_task(60)
    experiment = evaluate(bank, texts, y, models="pairwise")
    assert {result.model for result in experiment.results} == {"pairwise", "svr"}
    assert " its base svr: RMSE " in results_text(experiment).plain
    with_own = evaluate(bank, texts, y, models=["pairwise", TunedSVR([0.5], [1.0], [0.1])])
    assert with_own.regressors["svr"].get_params()["gammas"] == [0.5]


class Limited(TunedPairwise):
    max_rows = 59


def test_pairs_beyond_the_kernel() -> None:
    X, y = problem()
    few = TunedPairwise([0.5], [1.0], max_pairs=40)
    assert "40 of 120 pairs" in few.note(60)
    assert TunedPairwise().note(60) == ""
    assert np.isfinite(few.fit(X, y).predict(X)).all()
    with pytest.raises(InputError, match="60 are more than the 59 it can hold"):
        Limited().fit(X, y)
