"""Support vector regression with an RBF kernel: every setting from one matrix of products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import ClassVar, NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, LinearSVR

from regress.compute.arrays import Matrix
from regress.models.base import Setting
from regress.models.kernel_regressor import NystroemRegressor, Solution, fit_each
from regress.models.kernels import GAMMAS, MAX_ROWS
from regress.models.training import Size, TrainingSet

#: Penalties and insensitive widths to choose from, in standard deviations of the target.
CS = (0.5, 2.0, 8.0)
EPSILONS = (0.1, 0.3)


class TunedSVR(NystroemRegressor):
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
        (`regress.models.kernels`).
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

    approximate_note: ClassVar[str] = ", and errors beyond epsilon count squared"

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

    def work(self, size: Size) -> float:
        return 3.0 * (size.n_samples / 3000) ** 2 + 1e-3

    def solve(
        self, K: Matrix, training: TrainingSet, settings: Sequence[Setting], targets: Sequence[int]
    ) -> Solution:
        return _each(partial(_on_kernel, K), training, settings, targets)

    def solve_features(
        self, F: Matrix, training: TrainingSet, settings: Sequence[Setting], targets: Sequence[int]
    ) -> Solution:
        return _each(partial(_on_features, F), training, settings, targets)


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


def _each(
    fit: Callable[[_Target, Setting, Matrix | None], tuple[Matrix, float]],
    training: TrainingSet,
    settings: Sequence[Setting],
    targets: Sequence[int],
) -> Solution:
    """One fit for each setting and target, brought to the target's units."""
    scaled = {target: scaled_target(training, target) for target in targets}

    def fit_one(setting: Setting, target: int) -> tuple[Matrix, float]:
        y = scaled[target]
        weights, intercept = fit(y, setting, training.weights)
        return weights * y.scale, intercept * y.scale + y.mean

    return fit_each(settings, targets, fit_one)


def _on_kernel(
    K: Matrix, y: _Target, setting: Setting, weights: Matrix | None
) -> tuple[Matrix, float]:
    """Weights of the rows of K, and an intercept."""
    # libsvm caches columns of the kernel as float32: room for all of them, in MB.
    cache = K.nbytes / 2e6 + 1
    svr = SVR(kernel="precomputed", C=setting["C"], epsilon=setting["epsilon"], cache_size=cache)
    svr.fit(K, y.values, sample_weight=weights)
    dual = np.zeros(len(K))
    dual[svr.support_] = svr.dual_coef_[0]
    return dual, float(svr.intercept_[0])


def _on_features(
    F: Matrix, y: _Target, setting: Setting, weights: Matrix | None
) -> tuple[Matrix, float]:
    """Weights of the columns of F, and an intercept; errors beyond epsilon count squared.

    That problem is smooth: it is solved to the end in a few Newton steps (liblinear, primal),
    where the absolute errors of the exact one would take thousands of passes.
    """
    svr = LinearSVR(
        loss="squared_epsilon_insensitive", dual=False, C=setting["C"], epsilon=setting["epsilon"],
        tol=1e-6, max_iter=10_000,
    )  # fmt: skip
    svr.fit(F, y.values, sample_weight=weights)
    return svr.coef_, float(svr.intercept_[0])
