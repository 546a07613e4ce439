"""Ridge regression on standardised features: every alpha from one factorisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from regress.compute.arrays import Matrix
from regress.compute.memory import row_chunks
from regress.compute.shifted import ShiftedSystem
from regress.models.base import (
    Bounds,
    FittedModel,
    Parts,
    Setting,
    Similarity,
    block_sums,
    load_checked,
    save_arrays,
)
from regress.models.estimator import TunedRegressor
from regress.models.training import Size, TrainingSet, standardise

#: Four to a decade, wide enough for n x D from hundreds to tens of millions.
ALPHAS = tuple(float(alpha) for alpha in np.logspace(-1, 6, 29))


@dataclass(frozen=True, eq=False)
class RidgeModel(FittedModel):
    """A fitted ridge: ``intercept + (X - mean) / scale @ coef``.

    Attributes
    ----------
    mean, scale, coef
        Shape (n_features,), float64; a constant column's scale is infinite.
    intercept
        In units of the target.
    """

    mean: Matrix
    scale: Matrix
    coef: Matrix
    intercept: float

    def predict(self, X: NDArray[Any]) -> Matrix:
        predicted = np.empty(len(X))
        for rows in row_chunks(len(X), X.shape[1]):
            predicted[rows] = standardise(X[rows], self.mean, self.scale) @ self.coef
        return predicted + self.intercept

    def save(self, stem: Path) -> Path:
        return save_arrays(stem.with_name(stem.name + ".npz"), vars(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        own = ["columns"]
        arrays = load_checked(path, {"mean": own, "scale": own, "coef": own, "intercept": []})
        return cls(intercept=float(arrays.pop("intercept")), **arrays)

    def columns_taken(self) -> int:
        return len(self.mean)

    def parts(self, X: NDArray[Any], bounds: Bounds) -> Parts:
        """``w'z`` over each block's columns; the base is what an average text is predicted."""
        of_blocks = np.empty((len(X), len(bounds) - 1))
        for rows in row_chunks(len(X), X.shape[1]):
            weighted = standardise(X[rows], self.mean, self.scale) * self.coef
            of_blocks[rows] = block_sums(weighted, bounds)
        return Parts(np.full(len(X), self.intercept), of_blocks)

    def similarity_to(self, X: NDArray[Any]) -> Similarity:
        """The cosine of standardised vectors."""
        Z = self._directions(X)
        return lambda others: Z @ self._directions(others).T

    def _directions(self, X: NDArray[Any]) -> Matrix:
        Z = standardise(X, self.mean, self.scale)
        lengths = np.sqrt(np.einsum("ij,ij->i", Z, Z))
        Z /= np.where(lengths > 0, lengths, 1.0)[:, None]
        return Z


class TunedRidge(TunedRegressor):
    """Ridge on standardised features, alpha chosen by cross-validation.

    Equal to ``make_pipeline(StandardScaler(), Ridge(alpha))`` in float64, weighted or not. The
    normal equations are solved in X'X where columns are fewer than rows, and in XX' where they
    are more.

    Parameters
    ----------
    alphas
        Penalties to choose from, all above 0; None for 29 between 0.1 and a million.
    cv
        Number of folds.
    random_state
        Seed of the folds.
    n_jobs
        Worker threads; None for one a core.

    Attributes
    ----------
    params_
        The setting chosen, ``{"alpha": …}``.
    cv_rmse_
        Shape (n_settings,): cross-validated RMSE of each setting of `settings`.
    model_
        The fitted `RidgeModel`.
    """

    model_class: ClassVar[type[FittedModel]] = RidgeModel

    def __init__(
        self,
        alphas: Sequence[float] | None = None,
        *,
        cv: int = 5,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    def settings(self) -> list[Setting]:
        alphas = checked_alphas(ALPHAS if self.alphas is None else self.alphas)
        return [{"alpha": alpha} for alpha in alphas]

    def path(self, training: TrainingSet) -> Matrix:
        weights = ridge_weights(training, alphas_of(self.settings()))
        held = training.held_rows
        flat = weights.reshape(len(weights), -1)
        predicted = np.empty((len(held), flat.shape[1]))
        for rows in row_chunks(len(held), len(flat), training.data.chunk):
            predicted[rows] = training.standardised(held[rows]) @ flat
        return predicted.reshape(len(held), *weights.shape[1:]) + training.y_mean

    def path_on_products(self, training: TrainingSet) -> Matrix:
        """``y_mean + K_held (K + alpha I)^-1 (y - y_mean)``; weighted as in `ridge_weights`."""
        dual = training.dual_weights(training.kernel, alphas_of(self.settings()))
        predicted = training.held_kernel()[0] @ dual.reshape(len(dual), -1)
        return predicted.reshape(len(predicted), *dual.shape[1:]) + training.y_mean

    def takes_products(self, size: Size) -> bool:
        return not size.primal

    def is_primal(self, size: Size) -> bool:
        return size.primal

    def work(self, size: Size) -> float:
        if size.primal:
            return 0.05 * (size.n_columns / 768) ** 2 + 1e-3
        return 1.2 * (size.n_samples / 3000) ** 3 + 1e-3

    def refit(self, training: TrainingSet, chosen: Sequence[Setting]) -> list[FittedModel]:
        weights = ridge_weights(training, alphas_of(chosen))
        return [
            RidgeModel(
                mean=training.mean,
                scale=training.scale,
                coef=np.ascontiguousarray(weights[:, target, target]),
                intercept=float(training.y_mean[target]),
            )
            for target in range(len(chosen))
        ]


def checked_alphas(alphas: Sequence[float]) -> list[float]:
    """Penalties as floats; ValueError, scikit-learn's own, unless there are some, all above 0."""
    try:
        checked = [float(alpha) for alpha in alphas]
    except (TypeError, ValueError):
        raise ValueError(f"alphas must be a list of numbers above 0, not {alphas!r}") from None
    if not checked:
        raise ValueError("alphas is empty: give at least one number above 0, or None")
    if not all(alpha > 0 for alpha in checked):
        raise ValueError(f"alphas must be above 0, not {checked}")
    return checked


def alphas_of(settings: Sequence[Setting]) -> Matrix:
    """Shape (n_settings,)."""
    return np.array([setting["alpha"] for setting in settings])


def ridge_weights(training: TrainingSet, alphas: NDArray[np.float64]) -> Matrix:
    """Weights on standardised features, shape (n_features, n_alphas, n_targets).

    They minimise ``|y - mean(y) - Z w|^2 + alpha |w|^2``: ``(Z'Z + alpha I) w = Z'y``, or, with
    as many unknowns as rows, ``w = Z'(ZZ' + alpha I)^-1 y``. With sample weights, rows of Z and y
    are multiplied by the roots of theirs.
    """
    if training.data.primal:
        A, b = training.gram()
        return ShiftedSystem(A).solve(b, alphas)
    dual = training.dual_weights(training.kernel.copy(), alphas)
    flat = dual.reshape(len(dual), -1)
    weights = np.empty((len(training.scale), flat.shape[1]))
    for columns in training.column_chunks(len(flat)):
        weights[columns] = training.standardised(training.rows, columns).T @ flat
    return weights.reshape(-1, *dual.shape[1:])
