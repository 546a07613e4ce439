"""Kernel ridge with an RBF kernel: every penalty from one factorisation of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from regress.compute.arrays import Matrix
from regress.compute.shifted import ShiftedSystem
from regress.models.base import Setting
from regress.models.kernel_regressor import NystroemRegressor, Solution
from regress.models.kernels import GAMMAS, MAX_ROWS
from regress.models.ridge import alphas_of, checked_alphas
from regress.models.training import Size, TrainingSet

#: Four to a decade. The kernel's diagonal is one, so no number of rows or columns enters.
ALPHAS = tuple(float(alpha) for alpha in np.logspace(-4, 1, 21))


class TunedKernelRidge(NystroemRegressor):
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
        The setting chosen, ``{"gamma": …, "alpha": …}``.
    cv_rmse_
        Shape (n_settings,): cross-validated RMSE of each setting of `settings`.
    model_
        The fitted `RBFModel`.
    """

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
        alphas = checked_alphas(ALPHAS if self.alphas is None else self.alphas)
        return [
            {"gamma": float(gamma), "alpha": alpha}
            for gamma, alpha in product(dict.fromkeys(self.gammas), alphas)
        ]

    def work(self, size: Size) -> float:
        return 2.5 * (size.n_samples / 3000) ** 3 + 1e-3

    def solve(
        self, K: Matrix, training: TrainingSet, settings: Sequence[Setting], targets: Sequence[int]
    ) -> Solution:
        weights = training.dual_weights(K, alphas_of(settings))
        return _solution(weights, training, targets)

    def solve_features(
        self, F: Matrix, training: TrainingSet, settings: Sequence[Setting], targets: Sequence[int]
    ) -> Solution:
        weighted = F if training.weights is None else F * training.weights[:, None]
        weights = ShiftedSystem(weighted.T @ F).solve(
            weighted.T @ (training.Y - training.y_mean), alphas_of(settings)
        )
        return _solution(weights, training, targets)


def _solution(weights: Matrix, training: TrainingSet, targets: Sequence[int]) -> Solution:
    """Of the targets asked for; the constant of each is its mean."""
    chosen = weights[:, :, list(targets)]
    means = training.y_mean[list(targets)]
    return Solution(chosen, np.broadcast_to(means, chosen.shape[1:]))
