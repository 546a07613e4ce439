"""Support vector regression with an RBF kernel: every setting from one matrix of products."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from regress.estimator import TunedRegressor
from regress.model import FittedModel, Matrix, Setting
from regress.nystroem import Landmarks, linear_svr
from regress.rbf import GAMMAS, MAX_ROWS, RBFModel, each_kernel, kernel_gamma, only_kernel
from regress.statistics import FoldData, TrainingSet

CS = (0.5, 2.0, 8.0)
EPSILONS = (0.1, 0.3)


class TunedSVR(TunedRegressor):
    """RBF support vector regression on standardised features and a standardised target.

    C, epsilon and gamma are chosen by cross-validation. Equal to scikit-learn's
    ``TransformedTargetRegressor(make_pipeline(StandardScaler(), SVR(...)), StandardScaler())``,
    but each training set's products of rows serve all settings, since
    ``|a - b|^2 = aa + bb - 2ab``. Sample weights multiply C, and both scalers are weighted.

    Parameters
    ----------
    gammas
        Multiples of scikit-learn's ``gamma="scale"``, 1 / (n_features · variance), which for
        standardised features is one over the number of columns that vary.
    Cs, epsilons
        In units of the target's standard deviation, so that one grid serves every unit.
    max_rows, n_landmarks
        For more rows than `max_rows`, the kernel is approximated from so many of them
        (`regress.nystroem`).
    cv
        Number of folds.
    random_state
        Seed of the folds, and of the draw of landmarks.
    n_jobs
        Worker threads; None for one a core.

    Attributes
    ----------
    params_
        The setting chosen, ``{"gamma": …, "C": …, "epsilon": …}``.
    cv_rmse_
        Shape (n_settings,): cross-validated RMSE of each setting of `settings`.
    model_
        The fitted `RBFModel`.
    """

    takes_products: ClassVar[bool] = True

    def __init__(
        self,
        gammas: Sequence[float] = GAMMAS,
        Cs: Sequence[float] = CS,
        epsilons: Sequence[float] = EPSILONS,
        *,
        max_rows: int = MAX_ROWS,
        n_landmarks: int = 1000,
        cv: int = 5,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.gammas = gammas
        self.Cs = Cs
        self.epsilons = epsilons
        self.max_rows = max_rows
        self.n_landmarks = n_landmarks
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    def settings(self) -> list[Setting]:
        return [
            {"gamma": float(gamma), "C": float(C), "epsilon": float(epsilon)}
            for gamma, C, epsilon in product(self.gammas, self.Cs, self.epsilons)
        ]

    def note(self, n_samples: int) -> str:
        if n_samples <= self.max_rows:
            return ""
        return (
            f"svr: of {n_samples} texts, more than {self.max_rows}, the kernel is approximated "
            f"from {self.n_landmarks} (Nystroem), and errors beyond epsilon count squared"
        )

    def job_bytes(self, data: FoldData) -> int:
        n = len(data.X)
        if n > self.max_rows:
            return 8 * (3 * n * self.n_landmarks + 4 * data.chunk)
        return max(data.job_bytes, 8 * (5 * n * n + 3 * data.chunk))

    def path(self, training: TrainingSet) -> Matrix:
        if len(training.data.X) > self.max_rows:
            return self._approximate_path(training)
        settings = self.settings()
        targets = [scaled_target(training, target) for target in range(training.Y.shape[1])]
        predicted = np.empty((len(training.held_rows), len(settings), len(targets)))
        for gamma, K, held in each_kernel(training, [setting["gamma"] for setting in settings]):
            for i, setting in enumerate(settings):
                if setting["gamma"] == gamma:
                    for target, y in enumerate(targets):
                        fitted = _fit(K, y, setting, training.weights)
                        predicted[:, i, target] = fitted.predict(held) * y.scale + y.mean
        return predicted

    def _approximate_path(self, training: TrainingSet) -> Matrix:
        settings = self.settings()
        targets = [scaled_target(training, target) for target in range(training.Y.shape[1])]
        landmarks = Landmarks(training, self.n_landmarks, self.random_state)
        predicted = np.empty((len(training.held_rows), len(settings), len(targets)))
        for multiple in dict.fromkeys(setting["gamma"] for setting in settings):
            gamma = kernel_gamma(multiple, training)
            whitening = landmarks.whitening(gamma)
            F = landmarks.kernel(training.rows, gamma) @ whitening
            held = landmarks.kernel(training.held_rows, gamma) @ whitening
            for i, setting in enumerate(settings):
                if setting["gamma"] == multiple:
                    for target, y in enumerate(targets):
                        fitted = linear_svr(F, y.values, setting, training.weights)
                        predicted[:, i, target] = fitted.predict(held) * y.scale + y.mean
        return predicted

    def _approximate(self, training: TrainingSet, target: int, setting: Setting) -> RBFModel:
        y = scaled_target(training, target)
        landmarks = Landmarks(training, self.n_landmarks, self.random_state)
        gamma = kernel_gamma(setting["gamma"], training)
        whitening = landmarks.whitening(gamma)
        F = landmarks.kernel(training.rows, gamma) @ whitening
        fitted = linear_svr(F, y.values, setting, training.weights)
        return RBFModel(
            mean=training.mean,
            scale=training.scale,
            support=training.data.X[landmarks.rows],
            dual_coef=whitening @ fitted.coef_ * y.scale,
            intercept=float(fitted.intercept_[0]) * y.scale + y.mean,
            gamma=gamma,
        )

    def refit(self, training: TrainingSet, chosen: Sequence[Setting]) -> list[FittedModel]:
        if len(training.data.X) > self.max_rows:
            return [self._approximate(training, *of) for of in enumerate(chosen)]
        models: list[FittedModel] = []
        for target, setting in enumerate(chosen):
            K = only_kernel(training, setting["gamma"])
            y = scaled_target(training, target)
            fitted = _fit(K, y, setting, training.weights)
            models.append(
                RBFModel(
                    mean=training.mean,
                    scale=training.scale,
                    support=training.data.X[training.rows[fitted.support_]],
                    dual_coef=fitted.dual_coef_[0] * y.scale,
                    intercept=float(fitted.intercept_[0]) * y.scale + y.mean,
                    gamma=kernel_gamma(setting["gamma"], training),
                )
            )
        return models


class _Target(NamedTuple):
    """A standardised target of the training rows, with what it was standardised by."""

    values: Matrix
    mean: float
    scale: float


def scaled_target(training: TrainingSet, target: int) -> _Target:
    # By scikit-learn's own scaler and one target at a time: libsvm's path, and so what its
    # tolerance leaves open, can turn on the last bit.
    y = training.Y[:, [target]]
    if np.all(y == y[0]):
        # scikit-learn's weighted variance of a constant can come out below 0.
        return _Target(np.zeros(len(y)), float(y[0, 0]), 1.0)
    scaler = StandardScaler().fit(y, sample_weight=training.weights)
    return _Target(scaler.transform(y)[:, 0], float(scaler.mean_[0]), float(scaler.scale_[0]))


def _fit(K: Matrix, y: _Target, setting: Setting, weights: Matrix | None) -> Any:
    # libsvm caches columns of the kernel as float32: room for all of them, in MB.
    cache = K.nbytes / 2e6 + 1
    svr = SVR(kernel="precomputed", C=setting["C"], epsilon=setting["epsilon"], cache_size=cache)
    return svr.fit(K, y.values, sample_weight=weights)
