"""Support vector regression with an RBF kernel: every setting from one matrix of products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from regress.estimator import TunedRegressor
from regress.model import FittedModel, Matrix, Setting, load_arrays, row_chunks, save_arrays
from regress.nystroem import Landmarks, linear_svr
from regress.statistics import FoldData, TrainingSet, standardise

GAMMAS = (0.25, 0.5)
CS = (0.5, 2.0, 8.0)
EPSILONS = (0.1, 0.3)
#: The kernel of so many rows takes 0.8 GB, some of which stand side by side in each worker, and
#: fitting grows with their square.
MAX_ROWS = 10_000


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
        The fitted `SVRModel`.
    """

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
        scaled = [scaled_target(training, target) for target in range(training.Y.shape[1])]

        def predict(K: Matrix, held: Matrix, setting: Setting, target: int) -> Matrix:
            y = scaled[target]
            fitted: Matrix = _fit(K, y, setting, training.weights).predict(held)
            return fitted * y.scale + y.mean

        return rbf_path(training, self.settings(), predict)

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

    def _approximate(self, training: TrainingSet, target: int, setting: Setting) -> SVRModel:
        y = scaled_target(training, target)
        landmarks = Landmarks(training, self.n_landmarks, self.random_state)
        gamma = kernel_gamma(setting["gamma"], training)
        whitening = landmarks.whitening(gamma)
        F = landmarks.kernel(training.rows, gamma) @ whitening
        fitted = linear_svr(F, y.values, setting, training.weights)
        return SVRModel(
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
        within = distances(training)
        models: list[FittedModel] = []
        for target, setting in enumerate(chosen):
            K = rbf(within, setting["gamma"], training)
            y = scaled_target(training, target)
            fitted = _fit(K, y, setting, training.weights)
            models.append(
                SVRModel(
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


def distances(training: TrainingSet) -> Matrix:
    squares = np.diag(training.kernel)
    return squares[:, None] + squares - 2 * training.kernel


def rbf_path(
    training: TrainingSet,
    settings: Sequence[Setting],
    predict: Callable[[Matrix, Matrix, Setting, int], Matrix],
) -> Matrix:
    """Predictions for the held-out rows, shape (n_held, n_settings, n_targets).

    `predict` is called with the RBF of training rows with each other, that of held-out rows with
    them, a setting and the number of a target; settings of one gamma share the two.
    """
    within = distances(training)
    products, held_squares = training.held_kernel()
    apart = held_squares[:, None] + np.diag(training.kernel) - 2 * products
    predicted = np.empty((len(products), len(settings), training.Y.shape[1]))
    for gamma in dict.fromkeys(setting["gamma"] for setting in settings):
        K, held = rbf(within, gamma, training), rbf(apart, gamma, training)
        for i, setting in enumerate(settings):
            if setting["gamma"] == gamma:
                for target in range(training.Y.shape[1]):
                    predicted[:, i, target] = predict(K, held, setting, target)
    return predicted


def kernel_gamma(multiple: float, training: TrainingSet) -> float:
    return multiple / max(training.n_active, 1)


def rbf(distances: Matrix, multiple: float, training: TrainingSet) -> Matrix:
    K = distances * -kernel_gamma(multiple, training)
    return np.exp(K, out=K)


def _fit(K: Matrix, y: _Target, setting: Setting, weights: Matrix | None) -> Any:
    # libsvm caches columns of the kernel as float32: room for all of them, in MB.
    cache = K.nbytes / 2e6 + 1
    svr = SVR(kernel="precomputed", C=setting["C"], epsilon=setting["epsilon"], cache_size=cache)
    return svr.fit(K, y.values, sample_weight=weights)


@dataclass(frozen=True, eq=False)
class SVRModel:
    """A fitted SVR: ``intercept + exp(-gamma |z - s|^2) @ dual_coef``, s over support vectors.

    Attributes
    ----------
    mean, scale
        Shape (n_features,), float64; a constant column's scale is infinite.
    support
        Shape (n_support, n_features): the support vectors as they stood in X.
    dual_coef
        Shape (n_support,), in units of the target.
    intercept
        In units of the target.
    gamma
        Of the kernel on standardised features.
    """

    mean: Matrix
    scale: Matrix
    support: NDArray[Any]
    dual_coef: Matrix
    intercept: float
    gamma: float

    def predict(self, X: NDArray[Any]) -> Matrix:
        S = standardise(self.support, self.mean, self.scale)
        squares = np.einsum("ij,ij->i", S, S)
        predicted = np.full(len(X), self.intercept)
        for rows in row_chunks(len(X), max(X.shape[1], len(S))):
            Z = standardise(X[rows], self.mean, self.scale)
            distances = np.einsum("ij,ij->i", Z, Z)[:, None] + squares - 2 * (Z @ S.T)
            predicted[rows] += np.exp(-self.gamma * distances) @ self.dual_coef
        return predicted

    def save(self, stem: Path) -> Path:
        return save_arrays(stem.with_name(stem.name + ".npz"), vars(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        arrays = load_arrays(path)
        intercept, gamma = float(arrays.pop("intercept")), float(arrays.pop("gamma"))
        return cls(intercept=intercept, gamma=gamma, **arrays)
