"""The regressors as scikit-learn sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict
from sklearn.utils.estimator_checks import parametrize_with_checks

from features.errors import InputError
from regress.boosting import TunedLightGBM
from regress.pairwise import TunedPairwise
from regress.registry import MODELS, named_regressors
from regress.ridge import TunedRidge
from regress.svr import TunedSVR

SMALL = [
    TunedRidge([0.01, 1.0, 100.0], n_jobs=1),
    TunedSVR([1.0], [1.0, 10.0], [0.1], n_jobs=1),
    TunedLightGBM(20, 10, n_jobs=1),
    TunedPairwise([1.0], [1.0, 10.0], n_jobs=1),
]


@parametrize_with_checks(SMALL)
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


def test_fewer_rows_than_folds() -> None:
    with pytest.raises(ValueError, match="n_samples=4: 4 rows .* cannot be divided into 5 folds"):
        TunedRidge().fit(np.eye(4), np.arange(4.0))


def test_unknown_regressors_are_named() -> None:
    with pytest.raises(InputError, match=r"no regressor 'rigde' \(did you mean 'ridge'\?\)"):
        named_regressors(["rigde"])
    with pytest.raises(InputError, match="at least one"):
        named_regressors([])
