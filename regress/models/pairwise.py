"""Regression from pairs of texts: both vectors in, the difference of their targets out.

A text is predicted as the mean, over up to 32 training texts (the anchors), of the anchor's target
plus the predicted difference. On a linear base this is the base again: a difference of linear
functions is linear in the difference of the vectors, the intercept cancels, and ridge on all pairs
has the normal equations of ridge on centred texts, times a constant. So the base is an RBF SVR,
with the kernel of a pair of pairs

    ``K((a, b), (c, d)) = g(a, c) g(b, d) - g(a, d) g(b, c)``,  ``g = 1 + rbf``,

which changes its sign when a pair is turned round, as a difference does. It holds what a
difference of two SVRs could say, ``rbf(a, c) + rbf(b, d) - rbf(a, d) - rbf(b, c)``, and products
besides, so that how two texts compare may depend on both.

The mean over anchors is taken once, when the model is fitted: for a fixed second text the kernel
is a sum of g(a, ·), and so the model that is saved is an SVR over training texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import ClassVar

import numpy as np
from sklearn.svm import SVR

from features.errors import InputError
from regress.compute.arrays import Matrix, Rows
from regress.models.base import Setting
from regress.models.kernel_regressor import Basis, KernelRegressor, Solution, fit_each
from regress.models.kernels import MAX_ROWS
from regress.models.svr import scaled_target
from regress.models.training import FoldData, TrainingSet


class TunedPairwise(KernelRegressor):
    """SVR on pairs of texts, averaged over anchors; C and gamma chosen by cross-validation.

    Parameters
    ----------
    gammas, Cs
        As `TunedSVR`'s, for the kernel of pairs scaled to a mean diagonal of one.
    epsilon
        In standard deviations of the target.
    n_pairs
        Pairs that each text is the first of, at random; fewer where there are more than
        `max_pairs` in all.
    max_pairs
        Pairs in all, whose kernel is held: 8,000 take 0.5 GB.
    n_anchors
        Training texts, spread evenly over the target, that predictions are averaged over.
    cv
        Number of folds.
    random_state
        Seed of the folds and of the pairs.
    n_jobs
        Worker threads; None for one a core.

    Attributes
    ----------
    params_
        The setting chosen, ``{"gamma": …, "C": …}``.
    cv_rmse_
        Shape (n_settings,): cross-validated RMSE of each setting of `settings`.
    model_
        The fitted `RBFModel`.
    """

    base: ClassVar[str | None] = "svr"
    max_rows = MAX_ROWS

    def __init__(
        self,
        gammas: Sequence[float] = (0.25,),
        Cs: Sequence[float] = (0.25, 0.5, 1.0),
        epsilon: float = 0.1,
        *,
        n_pairs: int = 2,
        max_pairs: int = 8000,
        n_anchors: int = 32,
        cv: int = 5,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.gammas = gammas
        self.Cs = Cs
        self.epsilon = epsilon
        self.n_pairs = n_pairs
        self.max_pairs = max_pairs
        self.n_anchors = n_anchors
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    def settings(self) -> list[Setting]:
        return [
            {"gamma": float(gamma), "C": float(C)} for gamma, C in product(self.gammas, self.Cs)
        ]

    def note(self, n_samples: int) -> str:
        n = n_samples * self.n_pairs
        drawn = f"fitted on {self.max_pairs} of {n} pairs, more than its kernel holds"
        return drawn if n > self.max_pairs else ""

    def compared_rows(self, y: Matrix) -> Rows:
        return spread_anchors(y, self.n_anchors)

    def job_bytes(self, data: FoldData) -> int:
        n = min(len(data.X) * self.n_pairs, self.max_pairs)
        return max(data.job_bytes, 8 * (4 * n * n + 4 * len(data.X) ** 2 + 3 * data.chunk))

    def bases(
        self, training: TrainingSet, multiples: Iterable[float]
    ) -> Iterator[tuple[float, Basis]]:
        if len(training.data.X) > self.max_rows:
            raise InputError(
                f"pairwise compares every text with every other, and {len(training.data.X)} are "
                f"more than the {self.max_rows} it can hold: use svr, which approximates"
            )
        return super().bases(training, multiples)

    def solve(
        self, K: Matrix, training: TrainingSet, settings: Sequence[Setting], targets: Sequence[int]
    ) -> Solution:
        g = np.add(K, 1, out=K)
        return fit_each(settings, targets, partial(self._fit, training, g))

    def _fit(
        self, training: TrainingSet, g: Matrix, setting: Setting, target: int
    ) -> tuple[Matrix, float]:
        """Weights of the training texts' RBF, and a constant, in units of the target."""
        y = scaled_target(training, target)
        first, second = self._pairs(len(g))
        K = pair_kernel(g, first, second)
        scale = max(float(K.diagonal().mean()), np.finfo(np.float64).tiny)
        K /= scale
        pair_weights = None
        if training.weights is not None:
            pair_weights = np.sqrt(training.weights[first] * training.weights[second])
        svr = SVR(
            kernel="precomputed", C=setting["C"], epsilon=self.epsilon,
            cache_size=K.nbytes / 2e6 + 1,
        ).fit(K, y.values[first] - y.values[second], sample_weight=pair_weights)  # fmt: skip
        anchors = spread_anchors(y.values, self.n_anchors)
        support, coef = svr.support_, svr.dual_coef_[0] / scale
        a, b, to_anchors = first[support], second[support], g[anchors].mean(axis=0)
        turned = np.bincount(b, coef * to_anchors[a], len(g))
        weights: Matrix = np.subtract(np.bincount(a, coef * to_anchors[b], len(g)), turned)
        # g is one more than the RBF: the sum of the weights goes to the constant.
        constant = weights.sum() + float(svr.intercept_[0]) + y.values[anchors].mean()
        return weights * y.scale, float(constant) * y.scale + y.mean

    def _pairs(self, n: int) -> tuple[Rows, Rows]:
        """Numbers of the first and the second text of each pair, never the same text twice."""
        rng = np.random.default_rng(self.random_state)
        first: list[Rows] = []
        second: list[Rows] = []
        for _ in range(self.n_pairs):
            order = rng.permutation(n)
            first.append(order)
            second.append(np.roll(order, 1))
        return np.concatenate(first)[: self.max_pairs], np.concatenate(second)[: self.max_pairs]


def pair_kernel(g: Matrix, first: Rows, second: Rows) -> Matrix:
    """The kernel of pairs with pairs, shape (n_pairs, n_pairs), from g of texts with texts."""
    a, b = g[first], g[second]
    K: Matrix = a[:, first] * b[:, second]
    K -= a[:, second] * b[:, first]
    return K


def spread_anchors(y: Matrix, n_anchors: int) -> Rows:
    """Up to so many rows, spread evenly over the order of their targets."""
    n = min(n_anchors, len(y))
    # The middle of each of n equal parts, so that neither end counts twice.
    middles = ((np.arange(n) + 0.5) * len(y) / n).astype(np.int64)
    return np.argsort(y, kind="stable")[middles]
