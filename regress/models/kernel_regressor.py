"""Regressors that end as a sum of RBF kernels with training rows, however its weights are found."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np

from regress.compute.arrays import Matrix, Rows
from regress.models.base import FittedModel, Setting
from regress.models.estimator import TunedRegressor
from regress.models.kernels import Landmarks, each_kernel, kernel_gamma
from regress.models.rbf import RBFModel
from regress.models.training import FoldData, Size, TrainingSet


class Solution(NamedTuple):
    """What predicts as ``kernels @ weights + constants``, in units of the targets."""

    weights: Matrix
    """Shape (n_basis, n_settings, n_targets)."""
    constants: Matrix
    """Shape (n_settings, n_targets)."""


def fit_each(
    settings: Sequence[Setting],
    targets: Sequence[int],
    fit: Callable[[Setting, int], tuple[Matrix, float]],
) -> Solution:
    """A fit for each setting and target, which gives weights, shape (n_basis,), and a constant."""
    fits = [[fit(setting, target) for target in targets] for setting in settings]
    weights = np.stack([np.stack([w for w, _ in row], axis=-1) for row in fits], axis=1)
    return Solution(weights, np.array([[constant for _, constant in row] for row in fits]))


class Basis(NamedTuple):
    """The rows whose kernels are added up, at one gamma."""

    rows: Rows
    """Their numbers, shape (n_basis,)."""
    held: Matrix
    """The kernel of held-out rows with them, shape (n_held, n_basis)."""
    solve: Callable[[Sequence[Setting], Sequence[int]], Solution]
    """At settings of this gamma, for targets by number; can be called once."""


class KernelRegressor(TunedRegressor):
    """Shares each training set's kernel among all settings with the same gamma, and all targets.

    Settings have a `gamma`, a multiple of scikit-learn's ``gamma="scale"``.
    """

    model_class: ClassVar[type[FittedModel]] = RBFModel
    #: Beyond so many rows, products of rows are not taken.
    max_rows: int

    def takes_products(self, size: Size) -> bool:
        return size.n_samples <= self.max_rows

    @abstractmethod
    def solve(
        self, K: Matrix, training: TrainingSet, settings: Sequence[Setting], targets: Sequence[int]
    ) -> Solution:
        """Fit at settings of one gamma.

        Parameters
        ----------
        K
            The kernel of the training rows, shape (n_train, n_train). It may be overwritten.
        targets
            Numbers of columns of ``training.Y``.
        """

    def bases(
        self, training: TrainingSet, multiples: Iterable[float]
    ) -> Iterator[tuple[float, Basis]]:
        """What each distinct gamma adds up: here, the kernels of all training rows."""
        for multiple, K, held in each_kernel(training, multiples):
            yield multiple, Basis(training.rows, held, partial(self.solve, K, training))

    def path(self, training: TrainingSet) -> Matrix:
        settings = self.settings()
        targets = range(training.Y.shape[1])
        predicted = np.empty((len(training.held_rows), len(settings), len(targets)))
        for multiple, basis in self.bases(training, [setting["gamma"] for setting in settings]):
            same = [i for i, setting in enumerate(settings) if setting["gamma"] == multiple]
            weights, constants = basis.solve([settings[i] for i in same], targets)
            predicted[:, same] = np.tensordot(basis.held, weights, axes=1) + constants
        return predicted

    def refit(self, training: TrainingSet, chosen: Sequence[Setting]) -> list[FittedModel]:
        models: list[FittedModel] = []
        for target, setting in enumerate(chosen):
            [(multiple, basis)] = self.bases(training, [setting["gamma"]])
            solution = basis.solve([setting], [target])
            weights = solution.weights[:, 0, 0]
            used = np.flatnonzero(weights)
            models.append(
                RBFModel(
                    mean=training.mean,
                    scale=training.scale,
                    support=training.data.X[basis.rows[used]],
                    dual_coef=weights[used],
                    intercept=float(solution.constants[0, 0]),
                    gamma=kernel_gamma(multiple, training),
                )
            )
        return models


class NystroemRegressor(KernelRegressor):
    """The same for any number of rows: from some on, the kernel is approximated.

    Subclasses take `max_rows`, beyond which it is, and `n_landmarks`.
    """

    n_landmarks: int
    #: What else is different then, for :meth:`note`.
    approximate_note: ClassVar[str] = ""

    @abstractmethod
    def solve_features(
        self, F: Matrix, training: TrainingSet, settings: Sequence[Setting], targets: Sequence[int]
    ) -> Solution:
        """Fit linearly on features whose products approximate the kernel.

        Parameters
        ----------
        F
            Shape (n_train, rank); the solution's weights have shape (rank, n_settings, n_targets).
        """

    def note(self, n_samples: int) -> str:
        if n_samples <= self.max_rows:
            return ""
        return (
            f"of {n_samples} texts, more than {self.max_rows}, the kernel is approximated "
            f"from {self.n_landmarks} (Nystroem){self.approximate_note}"
        )

    def job_bytes(self, data: FoldData) -> int:
        n = len(data.X)
        if n > self.max_rows:
            return 8 * (3 * n * self.n_landmarks + 4 * data.chunk)
        return max(data.job_bytes, 8 * (5 * n * n + 3 * data.chunk))

    def bases(
        self, training: TrainingSet, multiples: Iterable[float]
    ) -> Iterator[tuple[float, Basis]]:
        if len(training.data.X) <= self.max_rows:
            yield from super().bases(training, multiples)
            return
        landmarks = Landmarks(training, self.n_landmarks, self.random_state)
        for multiple in dict.fromkeys(multiples):
            gamma = kernel_gamma(multiple, training)
            whitening = landmarks.whitening(gamma)
            F = landmarks.kernel(training.rows, gamma) @ whitening
            solve = partial(self._solve_whitened, F, whitening, training)
            held = landmarks.kernel(training.held_rows, gamma)
            yield multiple, Basis(landmarks.rows, held, solve)

    def _solve_whitened(
        self,
        F: Matrix,
        whitening: Matrix,
        training: TrainingSet,
        settings: Sequence[Setting],
        targets: Sequence[int],
    ) -> Solution:
        weights, constants = self.solve_features(F, training, settings, targets)
        return Solution(np.tensordot(whitening, weights, axes=1), constants)
