"""Sums of products against the plain way: every cell of a sweep is what a Pipeline gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from features.banks import Banks
from regress import TunedKernelRidge, TunedSVR, make_folds
from regress.data.task import checked_task
from regress.models.registry import named_regressors
from regress.models.ridge import ALPHAS
from regress.sweep.candidates import Cell, combined, every_unit, of_units, single_blocks
from regress.sweep.fitting import fit_parts
from regress.sweep.forward_search import forward_search
from regress.sweep.parts import Scoring, Store, every_part
from regress.sweep.places import Division
from regress.sweep.products import Grams
from regress.sweep.search import search
from tests.regress.conftest import Task
from tests.regress.plain import nested_predictions

MakeTask = Callable[..., Task]
PLENTY = 1 << 30


class Bench:
    """All that fitting cells takes."""

    def __init__(self, task: Task, folder: Path, memory: int = PLENTY, Y: Any = None) -> None:
        self.banks = Banks([task.bank])
        self.task = checked_task(task.texts, task.y if Y is None else Y)
        self.folds = make_folds(self.task.keys, self.task.Y)
        self.grams = Grams(self.banks, self.task, self.folds, memory)
        regressors = named_regressors(
            ["ridge", TunedKernelRidge([0.5], ALPHAS[:9]), TunedSVR([0.5], [1.0, 4.0], [0.1])]
        )
        names = {task.bank.name: task.bank.fingerprint}
        self.store = Store(folder, names, self.task, self.folds, regressors)

    def fit(self, *cells: Cell, **options: Any) -> None:
        parts = every_part(self.folds)
        fit_parts(self.grams, self.store, dict.fromkeys(cells, parts), **options)


@pytest.fixture
def task(make_task: MakeTask) -> Task:
    return make_task(60, hidden=16)


@pytest.mark.parametrize("memory", [PLENTY, 1])
@pytest.mark.parametrize("select", ["mean[1]", "cls[0]+max[1]", "mean[:]", "*[:]"])
def test_ridge_of_a_sweep_is_a_nested_pipeline(
    task: Task, tmp_path: Path, select: str, memory: int
) -> None:
    bench = Bench(task, tmp_path / "cells", memory)
    candidate = next(c for c in all_candidates(bench, select) if c.select == select)
    bench.fit(Cell("ridge", candidate))
    expected, _ = nested_predictions(
        make_pipeline(StandardScaler(), Ridge(solver="cholesky")),
        lambda _: {"ridge__alpha": ALPHAS},
        task.bank.matrix(task.texts, select, dtype=np.float64),
        task.y,
        bench.folds,
    )
    predicted = Scoring([bench.store], 0).nested_predictions(Cell("ridge", candidate))
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("select", ["mean[1]", "cls[0]+max[1]", "*[:]"])
def test_svr_of_a_sweep_is_a_nested_pipeline(task: Task, tmp_path: Path, select: str) -> None:
    bench = Bench(task, tmp_path / "cells")
    candidate = next(c for c in all_candidates(bench, select) if c.select == select)
    bench.fit(Cell("svr", candidate))
    X = task.bank.matrix(task.texts, select, dtype=np.float64)
    n_active = int((np.ptp(X, axis=0) > 0).sum())
    svr = SVR(gamma=0.5 / n_active, epsilon=0.1)
    plain = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), svr), transformer=StandardScaler()
    )
    expected, _ = nested_predictions(
        plain, lambda _: {"regressor__svr__C": [1.0, 4.0]}, X, task.y, bench.folds
    )
    predicted = Scoring([bench.store], 0).nested_predictions(Cell("svr", candidate))
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("select", ["mean[1]", "cls[0]+max[1]", "*[:]"])
def test_kernel_ridge_of_a_sweep_is_a_nested_pipeline(
    task: Task, tmp_path: Path, select: str
) -> None:
    bench = Bench(task, tmp_path / "cells")
    candidate = next(c for c in all_candidates(bench, select) if c.select == select)
    bench.fit(Cell("krr", candidate))
    X = task.bank.matrix(task.texts, select, dtype=np.float64)
    n_active = int((np.ptp(X, axis=0) > 0).sum())
    plain = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), KernelRidge(kernel="rbf", gamma=0.5 / n_active)),
        transformer=StandardScaler(with_std=False),
    )
    expected, _ = nested_predictions(
        plain, lambda _: {"regressor__kernelridge__alpha": ALPHAS[:9]}, X, task.y, bench.folds
    )
    predicted = Scoring([bench.store], 0).nested_predictions(Cell("krr", candidate))
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-8)


def all_candidates(bench: Bench, select: str) -> list[Any]:
    return [*single_blocks(bench.banks), *combined(bench.banks, [select])]


def test_finished_parts_are_not_fitted_again(task: Task, tmp_path: Path) -> None:
    cells = [Cell("ridge", c) for c in all_candidates(Bench(task, tmp_path / "a"), "mean[:]")]
    first = Bench(task, tmp_path / "a")
    first.fit(*cells)
    written = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").iterdir()}
    done: list[float] = []
    again = Bench(task, tmp_path / "a")
    again.fit(*cells, on_done=done.append)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a").iterdir()} == written
    assert sum(done) > 0
    other = Bench(task, tmp_path / "a", Y=task.y**2)
    assert not any(other.store.has(cell, (0,)) for cell in cells)


def test_the_forward_search_finds_blocks_that_complete_each_other(
    make_task: MakeTask, tmp_path: Path
) -> None:
    task = make_task(120)
    X = {b: task.bank.matrix(task.texts, f"{b}[0]") for b in ("mean", "max")}
    y = X["mean"] @ np.arange(6.0) + X["max"] @ np.arange(6.0)[::-1]
    bench = Bench(task, tmp_path / "cells", Y=y)
    steps = forward_search(bench.grams, every_unit(bench.banks), left_out=(2,))
    assert {str(step.unit.block) for step in steps[:2]} == {"mean[0]", "max[0]"}
    errors = [step.error for step in steps]
    assert errors == sorted(errors, reverse=True)
    assert of_units(bench.banks, [step.unit for step in steps[:2]]).select == "mean[0]+max[0]"


def test_the_forward_search_never_sees_the_outer_fold(task: Task, tmp_path: Path) -> None:
    bench = Bench(task, tmp_path / "a")
    spoiled = np.where(bench.folds.numbers == 1, 1e6, task.y)
    other = Bench(task, tmp_path / "b", Y=spoiled)
    other.grams.folds = other.folds = bench.folds
    units = every_unit(bench.banks)
    one, two = (forward_search(b.grams, units, left_out=(1,)) for b in (bench, other))
    assert one == two


def test_what_a_search_finds_is_judged_on_rows_it_has_not_seen(task: Task, tmp_path: Path) -> None:
    bench = Bench(task, tmp_path / "cells", Y=np.random.default_rng(5).standard_normal(60))
    division = Division([(bench.grams, bench.store)])
    fixed = single_blocks(bench.banks)
    [found] = search(
        [division],
        fixed,
        ["ridge"],
        1,
        n_best=1,
        greedy=True,
        n_jobs=1,
        on_stage=lambda name, work: None,
        on_done=lambda work: None,
    )
    gaps = []
    for outer in range(bench.folds.n_folds):
        others = [fold for fold in range(bench.folds.n_folds) if fold != outer]
        searched = found.greedy[0][outer]
        assert set(found.within[0][outer]) == set(others)
        for fold in others:
            steps = forward_search(bench.grams, every_unit(bench.banks), left_out=(fold, outer))
            expected = of_units(bench.banks, [step.unit for step in steps])
            assert found.within[0][outer][fold].content == expected.content
        unseen = plain_error(task, bench, outer, found.within[0][outer])
        seen = plain_error(task, bench, outer, dict.fromkeys(others, searched))
        gap = max(0.0, unseen - seen)
        gaps.append(gap)
        known = searched.content in {candidate.content for candidate in fixed}
        assert found._made_up(0, outer, searched) == pytest.approx(0 if known else gap, abs=1e-8)
        assert found._made_up(0, outer, fixed[0]) == 0
        chosen = found.choice_without(0, outer)
        if chosen.candidate == searched and not known:
            best = min(plain_error(task, bench, outer, dict.fromkeys(others, c)) for c in fixed)
            assert seen + gap <= best
    assert max(gaps) > 0.01  # the target is noise: what was searched looks better than it is


def plain_error(task: Task, bench: Bench, outer: int, candidates: dict[int, Any]) -> float:
    """The lowest mean squared error of ridge over folds, each with its own selection."""
    errors = []
    for fold, candidate in candidates.items():
        X = task.bank.matrix(task.texts, candidate.select, dtype=np.float64)
        train = bench.folds.rows([f for f in range(bench.folds.n_folds) if f not in (fold, outer)])
        test, y = bench.folds.rows([fold]), bench.task.Y[:, 0]
        pipelines = [make_pipeline(StandardScaler(), Ridge(alpha)) for alpha in ALPHAS]
        predicted = [one.fit(X[train], y[train]).predict(X[test]) for one in pipelines]
        errors.append([np.mean((of - y[test]) ** 2) for of in predicted])
    return float(np.mean(errors, axis=0).min())
