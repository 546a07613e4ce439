"""The regressors as scikit-learn sees them."""

from __future__ import annotations

from itertools import filterfalse
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
#: Those that cost little and look at every door; ridge and SVR get all in every run.
CHEAP = {
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_get_params_invariance",
    "check_set_params",
    "check_parameters_default_constructible",
    "check_valid_tag_types",
    "check_estimators_unfitted",
    "check_estimators_nan_inf",
    "check_n_features_in",
    "check_fit2d_predict1d",
    "check_regressors_no_decision_function",
}


def case_id(argument: Any) -> str:
    """``TunedRidge``, ``check_fit1d``."""
    name = getattr(getattr(argument, "func", argument), "__name__", type(argument).__name__)
    return str(name)


def own_checks(estimators: list[Any]) -> list[Any]:
    """Pairs of an estimator and a check of scikit-learn's, the one not offered marked as such."""
    marked = parametrize_with_checks(estimators, expected_failed_checks=lambda _: NOT_OFFERED)
    return list(marked.mark.args[1])


def is_cheap(case: Any) -> bool:
    _, check = getattr(case, "values", case)
    return getattr(check, "func", check).__name__ in CHEAP


IN_FULL = own_checks([SMALL[0], SMALL[2]])
OTHERS = own_checks([SMALL[1], SMALL[3], SMALL[4]])


@pytest.mark.parametrize(("estimator", "check"), [*IN_FULL, *filter(is_cheap, OTHERS)], ids=case_id)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), [*filterfalse(is_cheap, OTHERS)], ids=case_id)
def test_scikit_learns_other_checks(estimator: Any, check: Any) -> None:
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
