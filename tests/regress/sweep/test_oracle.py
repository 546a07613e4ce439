"""Sums of products against the plain way: every candidate of a sweep is what a Pipeline gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from regress.models.ridge import ALPHAS
from tests.regress.conftest import MadeUpTask
from tests.regress.plain import nested_predictions
from tests.regress.sweep.bench import PLENTY, Bench

MakeTask = Callable[..., MadeUpTask]


@pytest.fixture
def task(make_task: MakeTask) -> MadeUpTask:
    return make_task(60, hidden=16)


@pytest.mark.parametrize("memory", [PLENTY, 1])
@pytest.mark.parametrize("select", ["mean[1]", "cls[0]+max[1]", "mean[:]", "*[:]"])
def test_ridge_of_a_sweep_is_a_nested_pipeline(
    task: MadeUpTask, tmp_path: Path, select: str, memory: int
) -> None:
    bench = Bench(task, tmp_path / "fits", memory)
    expected, _ = nested_predictions(
        make_pipeline(StandardScaler(), Ridge(solver="cholesky")),
        lambda _: {"ridge__alpha": ALPHAS},
        task.bank.matrix(task.texts, select, dtype=np.float64),
        task.y,
        bench.folds,
    )
    predicted = bench.nested_predictions("ridge", select)
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("select", ["mean[1]", "cls[0]+max[1]", "*[:]"])
def test_svr_of_a_sweep_is_a_nested_pipeline(task: MadeUpTask, tmp_path: Path, select: str) -> None:
    bench = Bench(task, tmp_path / "fits")
    X = task.bank.matrix(task.texts, select, dtype=np.float64)
    n_active = int((np.ptp(X, axis=0) > 0).sum())
    svr = SVR(gamma=0.5 / n_active, epsilon=0.1)
    plain = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), svr), transformer=StandardScaler()
    )
    expected, _ = nested_predictions(
        plain, lambda _: {"regressor__svr__C": [1.0, 4.0]}, X, task.y, bench.folds
    )
    predicted = bench.nested_predictions("svr", select)
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("select", ["mean[1]", "cls[0]+max[1]", "*[:]"])
def test_kernel_ridge_of_a_sweep_is_a_nested_pipeline(
    task: MadeUpTask, tmp_path: Path, select: str
) -> None:
    bench = Bench(task, tmp_path / "fits")
    X = task.bank.matrix(task.texts, select, dtype=np.float64)
    n_active = int((np.ptp(X, axis=0) > 0).sum())
    plain = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), KernelRidge(kernel="rbf", gamma=0.5 / n_active)),
        transformer=StandardScaler(with_std=False),
    )
    expected, _ = nested_predictions(
        plain, lambda _: {"regressor__kernelridge__alpha": ALPHAS[:9]}, X, task.y, bench.folds
    )
    predicted = bench.nested_predictions("krr", select)
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-8)
