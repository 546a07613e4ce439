"""The scikit-learn face of every regressor here."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from features.errors import InputError
from regress.compute.arrays import Matrix
from regress.data.folds import make_folds, row_keys
from regress.models.base import Regressor
from regress.models.training import FoldData
from regress.models.tuning import tune


class TunedRegressor(Regressor, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor that chooses its settings by cross-validation when it is fitted.

    Subclasses say which settings there are and how to fit them (`regress.models.base.Regressor`).
    Their ``__init__`` takes at least `cv`, `random_state` and `n_jobs`, and keeps what it takes.
    """

    cv: int
    random_state: int
    n_jobs: int | None

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Choose a setting over stratified folds and refit it on all rows.

        Parameters
        ----------
        X
            Shape (n_samples, n_features), float32 or float64. Equal rows share a fold.
        y
            Shape (n_samples,).
        sample_weight
            Shape (n_samples,), 0 or above: how much each row counts in fits, scalers and the
            choice. As in scikit-learn a weight of 2 is a row given twice, and one of 0 a row left
            out. None for all alike.

        Raises
        ------
        ValueError
            NaN or infinity, negative weights, or fewer distinct rows than folds.
        """
        checked: tuple[NDArray[Any], NDArray[Any]] = validate_data(
            self, X, y, dtype=[np.float64, np.float32], y_numeric=True, ensure_min_samples=2
        )
        features, Y = checked[0], checked[1].astype(np.float64).reshape(-1, 1)
        weights: Matrix | None = None
        if sample_weight is not None:
            weights = _check_sample_weight(
                sample_weight, features, dtype=np.float64, ensure_non_negative=True
            )
            if not (kept := weights > 0).all():
                if not kept.any():
                    raise ValueError("all sample weights are zero: give some rows weight above 0")
                features, Y, weights = features[kept], Y[kept], weights[kept]
        try:
            folds = make_folds(row_keys(features), Y, n_folds=self.cv, seed=self.random_state)
        except InputError as error:
            raise ValueError(f"n_samples={len(features)}: {error}") from error
        data = FoldData(features, Y, folds, weights)
        [tuned] = tune(data, [self], nested=False, n_jobs=self.n_jobs)
        self.params_ = dict(tuned.settings[tuned.final[0]])
        self.cv_rmse_ = tuned.cv_rmse[:, 0]
        self.model_ = tuned.models[0]
        return self

    def predict(self, X: ArrayLike) -> Matrix:
        """Predictions, shape (n_samples,)."""
        check_is_fitted(self)
        features: NDArray[Any] = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return self.model_.predict(features)
