"""A fitted sum of RBF kernels with training rows, and what its predictions come from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from regress.compute.arrays import Matrix
from regress.compute.memory import row_chunks
from regress.models.base import (
    Bounds,
    FittedModel,
    Parts,
    Similarity,
    block_sums,
    load_checked,
    save_arrays,
)
from regress.models.training import standardise


@dataclass(frozen=True, eq=False)
class RBFModel(FittedModel):
    """A fitted sum of kernels: ``intercept + exp(-gamma |z - s|^2) @ dual_coef``, s over support.

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
        own = ["columns"]
        arrays = load_checked(
            path,
            {
                "mean": own, "scale": own, "support": ["rows", "columns"], "dual_coef": ["rows"],
                "intercept": [], "gamma": [],
            },
        )  # fmt: skip
        intercept, gamma = float(arrays.pop("intercept")), float(arrays.pop("gamma"))
        if gamma <= 0:
            raise ValueError(f"gamma is {gamma}")
        return cls(intercept=intercept, gamma=gamma, **arrays)

    def columns_taken(self) -> int:
        return len(self.mean)

    def parts(self, X: NDArray[Any], bounds: Bounds) -> Parts:
        """Changes along the straight line from the average text, as far as each block causes them.

        ``∫ z_b · ∂f/∂z_b (t z) dt``, t from 0 to 1 (integrated gradients: Sundararajan, Taly and
        Yan, 2017), in closed form: with A = |z|², B = z·s and C = |s|² the kernel is
        ``k(t) = exp(-γ (A t² - 2 B t + C))``, and a block's part is
        ``-2γ Σ a (A_b T1 - B_b T0)``, T0 = ∫ k dt and T1 = ∫ t k dt. T0 is a difference of error
        functions. T1 follows from ``∫ (A t - B) k dt = (k(0) - k(1)) / 2γ``, so that the parts
        add up exactly however T0 is rounded. The base is what an average text is predicted.
        """
        gamma, dual = self.gamma, self.dual_coef
        S = standardise(self.support, self.mean, self.scale)
        squares = np.einsum("ij,ij->i", S, S)
        at_zero = np.exp(-gamma * squares)
        of_blocks = np.zeros((len(X), len(bounds) - 1))
        for rows in row_chunks(len(X), max(X.shape[1], len(S))):
            Z = standardise(X[rows], self.mean, self.scale)
            A = block_sums(Z * Z, bounds)
            A_all, B_all = A.sum(axis=1), Z @ S.T
            T0 = _line_integral(gamma, A_all, B_all, squares)
            at_one = np.exp(-gamma * (A_all[:, None] - 2 * B_all + squares))
            safe = np.where(A_all > 0, A_all, 1.0)[:, None]
            T1 = (B_all * T0 + (at_zero - at_one) / (2 * gamma)) / safe
            weighted = T0 * dual
            of_blocks[rows] = A * (T1 @ dual)[:, None]
            for b, (start, stop) in enumerate(pairwise(bounds)):
                B = Z[:, start:stop] @ S[:, start:stop].T
                of_blocks[rows, b] -= np.einsum("ij,ij->i", B, weighted)
            of_blocks[rows] *= -2 * gamma
            of_blocks[rows][A_all == 0] = 0.0
        return Parts(np.full(len(X), self.intercept + float(at_zero @ dual)), of_blocks)

    def similarity_to(self, X: NDArray[Any]) -> Similarity:
        """The kernel itself, which is 1 for equal texts."""
        Z = standardise(X, self.mean, self.scale)
        squares = np.einsum("ij,ij->i", Z, Z)

        def similarity(others: NDArray[Any]) -> Matrix:
            T = standardise(others, self.mean, self.scale)
            distances = squares[:, None] + np.einsum("ij,ij->i", T, T) - 2 * (Z @ T.T)
            K: Matrix = np.exp(-self.gamma * np.maximum(distances, 0))
            return K

        return similarity


def _line_integral(gamma: float, A: Matrix, B: Matrix, C: Matrix) -> Matrix:
    """``∫ exp(-γ (A t² - 2 B t + C)) dt`` over t from 0 to 1, shape (n_samples, n_support)."""
    safe = np.where(A > 0, A, 1.0)[:, None]
    root, middle = np.sqrt(gamma * safe), B / safe
    lowest = np.maximum(C - B * middle, 0.0)  # the squared distance of the line from s
    width = erf(root * (1 - middle)) + erf(root * middle)
    integral: Matrix = np.exp(-gamma * lowest) * width * (math.sqrt(math.pi) / 2) / root
    return integral
