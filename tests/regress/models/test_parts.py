"""Parts of a prediction add up to it, block by block."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from regress.models.rbf import RBFModel
from regress.models.ridge import RidgeModel
from regress.models.training import standardise

BOUNDS = [0, 2, 3, 7]


def made_up(kind: type[Any], seed: int, spread: float) -> tuple[Any, np.ndarray]:
    """A model with made-up numbers and six texts, the first of them the average text."""
    rng = np.random.default_rng(seed)
    mean, scale = rng.standard_normal(7), rng.uniform(0.5, 2, 7)
    scale[4] = np.inf  # a constant column
    X = mean + np.concatenate([np.zeros((1, 7)), spread * rng.standard_normal((5, 7))])
    if kind is RidgeModel:
        return RidgeModel(mean, scale, rng.standard_normal(7), float(rng.standard_normal())), X
    support = mean + rng.standard_normal((12, 7))
    dual, intercept = rng.standard_normal(12), float(rng.standard_normal())
    return RBFModel(mean, scale, support, dual, intercept, 0.2), X


@pytest.mark.parametrize("kind", [RidgeModel, RBFModel])
@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), spread=st.sampled_from([0.0, 1e-8, 0.1, 1.0, 10.0, 1e3]))
def test_blocks_add_up(kind: type[Any], seed: int, spread: float) -> None:
    model, X = made_up(kind, seed, spread)
    base, of_blocks = model.parts(X, BOUNDS)
    np.testing.assert_allclose(base + of_blocks.sum(axis=1), model.predict(X), atol=1e-9)
    np.testing.assert_array_equal(of_blocks[0], 0)


def test_a_ridge_block_is_its_own_sum() -> None:
    model, X = made_up(RidgeModel, 0, 1.0)
    expected = ((X - model.mean) / model.scale * model.coef)[:, 2:3].sum(axis=1)
    base, of_blocks = model.parts(X, BOUNDS)
    np.testing.assert_allclose(of_blocks[:, 1], expected)
    np.testing.assert_array_equal(base, model.intercept)


def test_an_svr_block_is_the_integral_along_the_line() -> None:
    model, X = made_up(RBFModel, 1, 1.5)
    S = standardise(model.support, model.mean, model.scale)

    def slope(t: float, z: np.ndarray, columns: slice) -> float:
        kernel = np.exp(-model.gamma * ((t * z - S) ** 2).sum(axis=1)) * model.dual_coef
        return float(kernel @ (-2 * model.gamma * (t * z - S))[:, columns] @ z[columns])

    of_blocks = model.parts(X, BOUNDS).of_blocks
    for z, parts in zip(standardise(X, model.mean, model.scale), of_blocks, strict=True):
        for part, (start, stop) in zip(parts, itertools.pairwise(BOUNDS), strict=True):
            expected, _ = quad(slope, 0, 1, args=(z, slice(start, stop)), epsabs=1e-12)
            assert part == pytest.approx(expected, abs=1e-9)
