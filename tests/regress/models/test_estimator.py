"""The regressors as scikit-learn sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from sklearn.utils.estimator_checks import parametrize_with_checks

from features.errors import InputError
from regress.models.kernel_ridge import TunedKernelRidge
from regress.models.lightgbm import TunedLightGBM
from regress.models.pairwise import TunedPairwise
from regress.models.registry import MODELS, named_regressors
from regress.models.ridge import TunedRidge
from regress.models.svr import TunedSVR

SMALL = [
    TunedRidge([0.01, 1.0, 100.0], n_jobs=1, cv=3),
    TunedKernelRidge([1.0], [0.01, 1.0], n_jobs=1, cv=3),
    TunedSVR([1.0], [1.0, 10.0], [0.1], n_jobs=1, cv=3),
    TunedLightGBM(20, 10, n_jobs=1, cv=3),
    TunedPairwise([1.0], [1.0, 10.0], n_jobs=1, cv=3),
]
#: Checks that ask for what the regressors do not offer.
NOT_OFFERED = {
    "check_sample_weight_equivalence_on_dense_data": "cv is a number, never a list of splits",
}


@parametrize_with_checks(SMALL, expected_failed_checks=lambda _: NOT_OFFERED)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("name", MODELS)
def test_every_registered_regressor_is_built_and_fitted(name: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    y = X @ [1.0, 2.0, 0.0, 0.0, -1.0] + 0.1 * rng.standard_normal(60)
    regressor = named_regressors(name)[name]
    fitted = clone(regressor).fit(X, y)
    assert dict(fitted.params_) in [dict(setting) for setting in regressor.settings()]
    assert fitted.cv_rmse_.shape == (len(regressor.settings()),)
    assert np.corrcoef(cross_val_predict(regressor, X, y, cv=3), y)[0, 1] > 0.7


@pytest.mark.parametrize(("regressor", "tolerance"), [(SMALL[0], 1e-9), (SMALL[1], 1e-3)])
def test_a_weight_is_how_often_a_row_is_given(regressor: Any, tolerance: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 4))
    y = 10 * X[:, 0] + rng.standard_normal(50) + 3
    times = rng.integers(0, 4, 50)
    repeated = clone(regressor).fit(X.repeat(times, axis=0), y.repeat(times))
    weighted = clone(regressor).fit(X, y, sample_weight=times)
    assert weighted.params_ == repeated.params_
    np.testing.assert_allclose(weighted.cv_rmse_, repeated.cv_rmse_, rtol=tolerance)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=0, atol=tolerance)


@pytest.mark.parametrize("regressor", SMALL)
def test_weights_reach_the_fit_of_every_regressor(regressor: Any) -> None:
    """Two noisy halves that contradict each other: the weighted one is believed."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((80, 2))
    y = np.where(np.arange(80) < 40, 1.0, -1.0) * X[:, 0]
    for believed in (1.0, -1.0):
        weights = np.where(np.sign(believed) == np.where(np.arange(80) < 40, 1, -1), 1.0, 1e-3)
        fitted = clone(regressor).fit(X, y, sample_weight=weights)
        assert believed * np.corrcoef(fitted.predict(X), X[:, 0])[0, 1] > 0.7
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        clone(regressor).fit(X, y, sample_weight=-weights)


def test_fewer_rows_than_folds() -> None:
    with pytest.raises(ValueError, match="n_samples=4: 4 rows .* cannot be divided into 5 folds"):
        TunedRidge().fit(np.eye(4), np.arange(4.0))


def test_unknown_regressors_are_named() -> None:
    with pytest.raises(InputError, match=r"no regressor 'rigde' \(did you mean 'ridge'\?\)"):
        named_regressors(["rigde"])
    with pytest.raises(InputError, match="at least one"):
        named_regressors([])
