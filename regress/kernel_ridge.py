"""Kernel ridge with an RBF kernel: every penalty from one factorisation of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from regress.estimator import TunedRegressor
from regress.lapack import ShiftedSystem
from regress.model import FittedModel, Matrix, Setting
from regress.nystroem import Landmarks
from regress.rbf import GAMMAS, MAX_ROWS, RBFModel, each_kernel, kernel_gamma, only_kernel
from regress.statistics import FoldData, TrainingSet

#: Four to a decade. The kernel's diagonal is one, so no number of rows or columns enters.
ALPHAS = tuple(float(alpha) for alpha in np.logspace(-4, 1, 21))


class TunedKernelRidge(TunedRegressor):
    """RBF kernel ridge on standardised features, alpha and gamma chosen by cross-validation.

    Equal to scikit-learn's ``make_pipeline(StandardScaler(), KernelRidge(kernel="rbf"))`` on a
    centred target, weighted or not (both scalers are weighted too). All alphas and all targets
    share one factorisation for each gamma, and selections share their blocks' products.

    Parameters
    ----------
    gammas
        Multiples of scikit-learn's ``gamma="scale"``, 1 / (n_features · variance), which for
        standardised features is one over the number of columns that vary.
    alphas
        Penalties to choose from, all above 0; None for 21 between 0.0001 and 10.
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
        The setting chosen, ``{"gamma": …, "alpha": …}``.
    cv_rmse_
        Shape (n_settings,): cross-validated RMSE of each setting of `settings`.
    model_
        The fitted `RBFModel`.
    """

    takes_products: ClassVar[bool] = True

    def __init__(
        self,
        gammas: Sequence[float] = GAMMAS,
        alphas: Sequence[float] | None = None,
        *,
        max_rows: int = MAX_ROWS,
        n_landmarks: int = 1000,
        cv: int = 5,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.gammas = gammas
        self.alphas = alphas
        self.max_rows = max_rows
        self.n_landmarks = n_landmarks
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    def settings(self) -> list[Setting]:
        return [
            {"gamma": float(gamma), "alpha": float(alpha)}
            for gamma, alpha in product(dict.fromkeys(self.gammas), self._alphas())
        ]

    def _alphas(self) -> NDArray[np.float64]:
        alphas = np.array(ALPHAS if self.alphas is None else self.alphas, dtype=np.float64)
        if not len(alphas) or not (alphas > 0).all():
            raise ValueError(f"alphas must be above 0, not {alphas.tolist()}")
        return alphas

    def note(self, n_samples: int) -> str:
        if n_samples <= self.max_rows:
            return ""
        return (
            f"krr: of {n_samples} texts, more than {self.max_rows}, the kernel is approximated "
            f"from {self.n_landmarks} (Nystroem)"
        )

    def job_bytes(self, data: FoldData) -> int:
        n = len(data.X)
        if n > self.max_rows:
            return 8 * (3 * n * self.n_landmarks + 4 * data.chunk)
        return max(data.job_bytes, 8 * (5 * n * n + 3 * data.chunk))

    def path(self, training: TrainingSet) -> Matrix:
        alphas = self._alphas()
        predictions = []
        if len(training.data.X) > self.max_rows:
            landmarks = Landmarks(training, self.n_landmarks, self.random_state)
            for gamma in dict.fromkeys(self.gammas):
                weights = self._landmark_weights(landmarks, gamma, training, alphas)
                K = landmarks.kernel(training.held_rows, kernel_gamma(gamma, training))
                predictions.append(np.tensordot(K, weights, axes=1))
        else:
            for _, K, held in each_kernel(training, self.gammas):
                predictions.append(np.tensordot(held, training.dual_weights(K, alphas), axes=1))
        return np.concatenate(predictions, axis=1) + training.y_mean

    def refit(self, training: TrainingSet, chosen: Sequence[Setting]) -> list[FittedModel]:
        models: list[FittedModel] = []
        approximate = len(training.data.X) > self.max_rows
        if approximate:
            landmarks = Landmarks(training, self.n_landmarks, self.random_state)
        for target, setting in enumerate(chosen):
            alphas = np.array([setting["alpha"]])
            if approximate:
                rows = landmarks.rows
                weights = self._landmark_weights(landmarks, setting["gamma"], training, alphas)
            else:
                rows = training.rows
                K = only_kernel(training, setting["gamma"])
                weights = training.dual_weights(K, alphas)
            models.append(
                RBFModel(
                    mean=training.mean,
                    scale=training.scale,
                    support=training.data.X[rows],
                    dual_coef=np.ascontiguousarray(weights[:, 0, target]),
                    intercept=float(training.y_mean[target]),
                    gamma=kernel_gamma(setting["gamma"], training),
                )
            )
        return models

    def _landmark_weights(
        self, landmarks: Landmarks, multiple: float, training: TrainingSet, alphas: Matrix
    ) -> Matrix:
        """Weights of the landmarks' kernels, shape (n_landmarks, n_alphas, n_targets)."""
        gamma = kernel_gamma(multiple, training)
        whitening = landmarks.whitening(gamma)
        F = landmarks.kernel(training.rows, gamma) @ whitening
        weighted = F if training.weights is None else F * training.weights[:, None]
        solved = ShiftedSystem(weighted.T @ F).solve(
            weighted.T @ (training.Y - training.y_mean), alphas
        )
        return np.tensordot(whitening, solved, axes=1)
