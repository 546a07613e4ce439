"""Which blocks a prediction comes from: parts that add up to it exactly.

Every model's prediction is ``base + sum over blocks``, in units of the target:

- **ridge** ``w'z`` over the block's standardised columns; the base is the intercept, which is what
  an average text (z = 0) is predicted;
- **krr**, **svr**, **pairwise** the change of the prediction along the straight line from the
  average text to this one, as far as the block's columns cause it:
  ``∫ z_b · ∂f/∂z_b (t z) dt``, t from 0 to 1 (integrated gradients: Sundararajan, Taly and Yan,
  2017; of a linear function it is ``w'z`` again). The base is what an average text is predicted;
- **lightgbm** the block's SHAP values (Lundberg, Erion and Lee, 2018), as LightGBM computes them;
  the base is the mean over its training texts;
- one model a fold: the mean over the models; a blend: the weighted sum.

A part says what the model does with a block. Neighbouring layers say nearly the same, and how a
model divides a weight among these is hardly more than chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from features.errors import InputError
from regress.compute.memory import row_chunks
from regress.models.base import FittedModel, Matrix
from regress.models.ensembles import BlendModel, FoldModels
from regress.models.lightgbm import BoostedModel
from regress.models.rbf import RBFModel
from regress.models.ridge import RidgeModel
from regress.models.training import standardise

#: Where each block begins in the columns, and where the last one ends.
Bounds = Sequence[int]


class Parts(NamedTuple):
    """What predictions are made of.

    Attributes
    ----------
    base
        Shape (n_samples,): what there is without any block.
    of_blocks
        Shape (n_samples, n_blocks).
    """

    base: Matrix
    of_blocks: Matrix


def parts_of(model: FittedModel, X: NDArray[Any], bounds: Bounds) -> Parts:
    """Divide a model's predictions among blocks.

    Parameters
    ----------
    X
        Shape (n_samples, n_features), as for `predict`.
    bounds
        Shape (n_blocks + 1,): block b has the columns from ``bounds[b]`` to ``bounds[b + 1]``.

    Raises
    ------
    InputError
        A model of a kind that cannot be divided.
    """
    for kind, divide in _DIVIDED.items():
        if isinstance(model, kind):
            return divide(model, X, bounds)
    raise InputError(f"{type(model).__name__} cannot be explained: name another --model")


def _of_ridge(model: RidgeModel, X: NDArray[Any], bounds: Bounds) -> Parts:
    of_blocks = np.empty((len(X), len(bounds) - 1))
    for rows in row_chunks(len(X), X.shape[1]):
        weighted = standardise(X[rows], model.mean, model.scale) * model.coef
        of_blocks[rows] = _sums(weighted, bounds)
    return Parts(np.full(len(X), model.intercept), of_blocks)


def _of_rbf(model: RBFModel, X: NDArray[Any], bounds: Bounds) -> Parts:
    """Integrals of the kernel along each line, in closed form.

    With A = |z|², B = z·s and C = |s|² the kernel is ``k(t) = exp(-γ (A t² - 2 B t + C))``, and
    a block's part is ``-2γ Σ a (A_b T1 - B_b T0)``, T0 = ∫ k dt and T1 = ∫ t k dt. T0 is a
    difference of error functions. T1 follows from ``∫ (A t - B) k dt = (k(0) - k(1)) / 2γ``, so
    that the parts add up exactly however T0 is rounded.
    """
    gamma, dual = model.gamma, model.dual_coef
    S = standardise(model.support, model.mean, model.scale)
    squares = np.einsum("ij,ij->i", S, S)
    at_zero = np.exp(-gamma * squares)
    of_blocks = np.zeros((len(X), len(bounds) - 1))
    for rows in row_chunks(len(X), max(X.shape[1], len(S))):
        Z = standardise(X[rows], model.mean, model.scale)
        A = _sums(Z * Z, bounds)
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
    return Parts(np.full(len(X), model.intercept + float(at_zero @ dual)), of_blocks)


def _line_integral(gamma: float, A: Matrix, B: Matrix, C: Matrix) -> Matrix:
    """``∫ exp(-γ (A t² - 2 B t + C)) dt`` over t from 0 to 1, shape (n_samples, n_support)."""
    safe = np.where(A > 0, A, 1.0)[:, None]
    root, middle = np.sqrt(gamma * safe), B / safe
    lowest = np.maximum(C - B * middle, 0.0)  # the squared distance of the line from s
    width = erf(root * (1 - middle)) + erf(root * middle)
    integral: Matrix = np.exp(-gamma * lowest) * width * (math.sqrt(math.pi) / 2) / root
    return integral


def _of_trees(model: BoostedModel, X: NDArray[Any], bounds: Bounds) -> Parts:
    import lightgbm

    booster = lightgbm.Booster(model_str=model.text)
    base, of_blocks = np.empty(len(X)), np.empty((len(X), len(bounds) - 1))
    for rows in row_chunks(len(X), X.shape[1]):
        values = np.asarray(booster.predict(X[rows], pred_contrib=True, num_threads=1))
        base[rows], of_blocks[rows] = values[:, -1], _sums(values[:, :-1], bounds)
    return Parts(base, of_blocks)


def _of_folds(model: FoldModels, X: NDArray[Any], bounds: Bounds) -> Parts:
    n = len(model.models)
    width, per_model = X.shape[1] // n, (len(bounds) - 1) // n
    base, of_blocks = np.zeros(len(X)), []
    for at, one in enumerate(model.models):
        start = at * width
        own = [b - start for b in bounds[at * per_model : (at + 1) * per_model + 1]]
        parts = parts_of(one, X[:, start : start + width], own)
        base += parts.base / n
        of_blocks.append(parts.of_blocks / n)
    return Parts(base, np.concatenate(of_blocks, axis=1))


def _of_blend(model: BlendModel, X: NDArray[Any], bounds: Bounds) -> Parts:
    base = np.full(len(X), model.intercept)
    of_blocks = np.zeros((len(X), len(bounds) - 1))
    for of, weight in zip(model.bases, model.weights, strict=True):
        first, last = bounds.index(of.start), bounds.index(of.stop)
        own = [b - of.start for b in bounds[first : last + 1]]
        parts = parts_of(of.model, X[:, of.start : of.stop], own)
        base += weight * parts.base
        of_blocks[:, first:last] += weight * parts.of_blocks
    return Parts(base, of_blocks)


def _sums(values: Matrix, bounds: Bounds) -> Matrix:
    """Sums over each block's columns, shape (n_samples, n_blocks)."""
    return np.stack([values[:, a:b].sum(axis=1) for a, b in pairwise(bounds)], axis=1)


_DIVIDED: dict[type[Any], Callable[[Any, NDArray[Any], Bounds], Parts]] = {
    RidgeModel: _of_ridge,
    RBFModel: _of_rbf,
    BoostedModel: _of_trees,
    FoldModels: _of_folds,
    BlendModel: _of_blend,
}
