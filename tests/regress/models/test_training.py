"""Statistics of training sets against a scaler fitted on the rows themselves."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from regress.data.folds import make_folds, row_keys
from regress.models.training import FoldData


def fold_data(n: int, d: int, *, offset: float = 0.0, memory: int | None = None) -> FoldData:
    rng = np.random.default_rng(d)
    X = (rng.standard_normal((n, d)) * rng.uniform(0.1, 10, d) + offset).astype(np.float32)
    Y = rng.standard_normal((n, 2))
    return FoldData(X, Y, make_folds(row_keys(X), Y, n_folds=4), memory=memory)


@pytest.mark.parametrize("offset", [0.0, 300.0])
@pytest.mark.parametrize("left_out", [(), (1,), (0, 3)])
@pytest.mark.parametrize("d", [7, 90])
def test_equals_a_scaler_inside_the_fold(d: int, left_out: tuple[int, ...], offset: float) -> None:
    data = fold_data(60, d, offset=offset)
    training = data.training(left_out)
    Z = StandardScaler().fit_transform(data.X[training.rows].astype(np.float64))
    y = data.Y[training.rows] - data.Y[training.rows].mean(axis=0)
    A, b = training.gram()
    np.testing.assert_allclose(training.standardised(training.rows), Z, atol=1e-10)
    np.testing.assert_allclose(A, Z.T @ Z, atol=1e-8)
    np.testing.assert_allclose(b, Z.T @ y, atol=1e-8)
    np.testing.assert_allclose(training.kernel, Z @ Z.T, atol=1e-8)


def test_held_out_rows_are_scaled_by_the_training_rows() -> None:
    data = fold_data(60, 7)
    training = data.training((1, 2))
    scaler = StandardScaler().fit(data.X[training.rows].astype(np.float64))
    train, held = (
        scaler.transform(data.X[rows].astype(np.float64))
        for rows in (training.rows, training.held_rows)
    )
    products, squares = training.held_kernel()
    np.testing.assert_allclose(products, held @ train.T, atol=1e-9)
    np.testing.assert_allclose(squares, (held**2).sum(axis=1), atol=1e-9)
    assert sorted([*training.rows, *training.held_rows]) == list(range(60))
    assert set(training.held_folds) == {1, 2}


def test_small_chunks_change_nothing() -> None:
    whole = fold_data(60, 600).training((0,))
    expected = (whole.gram()[0], whole.kernel, whole.held_kernel()[0])
    data = fold_data(60, 600, memory=1)
    assert data.chunk < 60 * 600 // 8
    chunked = data.training((0,))
    for a, b in zip(
        expected, (chunked.gram()[0], chunked.kernel, chunked.held_kernel()[0]), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-6, 12345.678, 1e20])
def test_constant_columns_become_zero(value: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5)).astype(np.float32)
    X[:, 2] = value
    # What float32 arithmetic leaves of a constant when batches differ.
    X[:, 4] = np.float32(0.7) * (1 + 1e-7 * rng.integers(-1, 2, 60))
    data = FoldData(X, rng.standard_normal((60, 1)), make_folds(row_keys(X), X[:, 0], n_folds=4))
    for left_out in combinations(range(4), 2):
        training = data.training(left_out)
        assert training.n_active == 3
        standardised = training.standardised(np.arange(60))
        assert not standardised[:, [2, 4]].any()
        A, b = training.gram()
        assert not A[[2, 4]].any()
        assert not b[[2, 4]].any()


def test_columns_that_hardly_vary_are_kept_in_float64() -> None:
    rng = np.random.default_rng(0)
    X = np.c_[1.7e9 + rng.uniform(0, 3000, 60), rng.standard_normal((60, 2))]
    X[0, 1] = 3e6  # far from all others, and first
    folds = make_folds(row_keys(X), X[:, 2], n_folds=4)
    training = FoldData(X, X[:, :1], folds).training((int(folds.numbers[0]),))
    np.testing.assert_allclose(training.scale, X[training.rows].std(axis=0), rtol=1e-6)


def test_a_column_constant_in_training_alone_is_ignored() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    folds = make_folds(row_keys(X), X[:, 0], n_folds=4)
    X[:, 1] = np.where(folds.numbers == 2, 1e6 * X[:, 1], 5.0)
    for row in (0, int(folds.rows([2])[0])):  # whichever row comes first and is the shift
        order = np.r_[row, np.delete(np.arange(60), row)]
        reordered = make_folds(row_keys(X[order]), X[order, 0], n_folds=4)
        object.__setattr__(reordered, "numbers", folds.numbers[order])
        training = FoldData(X[order], X[order, :1], reordered).training((2,))
        assert np.isinf(training.scale).tolist() == [False, True, False]


def test_primal_where_columns_are_fewer_than_training_rows() -> None:
    assert fold_data(60, 30).primal
    assert not fold_data(60, 31).primal
