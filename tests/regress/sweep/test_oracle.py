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
from regress.sweep.candidates import (
    Candidate,
    ResolvedSelection,
    combinations,
    concatenated,
    every_block,
    single_blocks,
)
from regress.sweep.forward_search import forward_search
from regress.sweep.products import Grams
from regress.sweep.search import search
from regress.sweep.splits import Split, Workspace
from regress.sweep.store import Store
from tests.regress.conftest import Task
from tests.regress.plain import nested_predictions

MakeTask = Callable[..., Task]
PLENTY = 1 << 30


class Bench:
    """All that fitting candidates takes."""

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
        self.split = Split([Workspace(self.grams, self.store)])

    def fit(self, *candidates: Candidate, on_done: Any = lambda work: None) -> None:
        wanted = dict.fromkeys(candidates, self.split.every_fit())
        self.split.fit(wanted, n_jobs=None, on_done=on_done)

    def selection(self, select: str) -> ResolvedSelection:
        every = [*single_blocks(self.banks), *combinations(self.banks, [select])]
        return next(selection for selection in every if selection.text == select)

    def nested_predictions(self, model: str, select: str) -> np.ndarray:
        candidate = Candidate(model, self.selection(select))
        self.fit(candidate)
        return self.split.scoring(0).nested_predictions([candidate] * self.folds.n_folds)


@pytest.fixture
def task(make_task: MakeTask) -> Task:
    return make_task(60, hidden=16)


@pytest.mark.parametrize("memory", [PLENTY, 1])
@pytest.mark.parametrize("select", ["mean[1]", "cls[0]+max[1]", "mean[:]", "*[:]"])
def test_ridge_of_a_sweep_is_a_nested_pipeline(
    task: Task, tmp_path: Path, select: str, memory: int
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
def test_svr_of_a_sweep_is_a_nested_pipeline(task: Task, tmp_path: Path, select: str) -> None:
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
    task: Task, tmp_path: Path, select: str
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


def test_finished_fits_are_not_made_again(task: Task, tmp_path: Path) -> None:
    first = Bench(task, tmp_path / "a")
    every = [*single_blocks(first.banks), *combinations(first.banks)]
    candidates = [Candidate("ridge", selection) for selection in every]
    first.fit(*candidates)
    written = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").iterdir()}
    done: list[float] = []
    again = Bench(task, tmp_path / "a")
    again.fit(*candidates, on_done=done.append)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a").iterdir()} == written
    assert sum(done) > 0
    other = Bench(task, tmp_path / "a", Y=task.y**2)
    assert not any(other.store.has(candidate, (0,)) for candidate in candidates)


def test_the_forward_search_finds_blocks_that_complete_each_other(
    make_task: MakeTask, tmp_path: Path
) -> None:
    task = make_task(120)
    X = {b: task.bank.matrix(task.texts, f"{b}[0]") for b in ("mean", "max")}
    y = X["mean"] @ np.arange(6.0) + X["max"] @ np.arange(6.0)[::-1]
    bench = Bench(task, tmp_path / "fits", Y=y)
    steps = forward_search(bench.grams, every_block(bench.banks), left_out=(2,))
    assert {str(step.block.block) for step in steps[:2]} == {"mean[0]", "max[0]"}
    errors = [step.error for step in steps]
    assert errors == sorted(errors, reverse=True)
    assert concatenated(bench.banks, [step.block for step in steps[:2]]).text == "mean[0]+max[0]"


def test_the_forward_search_never_sees_the_outer_fold(task: Task, tmp_path: Path) -> None:
    bench = Bench(task, tmp_path / "a")
    spoiled = np.where(bench.folds.numbers == 1, 1e6, task.y)
    other = Bench(task, tmp_path / "b", Y=spoiled)
    other.grams.folds = other.folds = bench.folds
    blocks = every_block(bench.banks)
    plain, spoiled_too = (
        forward_search(each.grams, blocks, left_out=(1,)) for each in (bench, other)
    )
    # Equal to the last bit: products are taken one thread each, and of the same numbers.
    assert plain == spoiled_too


def test_what_a_search_finds_is_judged_on_rows_it_has_not_seen(task: Task, tmp_path: Path) -> None:
    bench = Bench(task, tmp_path / "fits", Y=np.random.default_rng(5).standard_normal(60))
    fixed = single_blocks(bench.banks)
    [found] = search(
        [bench.split],
        fixed,
        ["ridge"],
        1,
        n_best=1,
        greedy=True,
        n_jobs=1,
        on_stage=lambda name, work: None,
        on_done=lambda work: None,
    )
    [split] = found.splits
    gaps = []
    for outer in range(bench.folds.n_folds):
        others = [fold for fold in range(bench.folds.n_folds) if fold != outer]
        searched = split.found[outer]
        assert set(split.found_within[outer]) == set(others)
        for fold in others:
            steps = forward_search(bench.grams, every_block(bench.banks), left_out=(fold, outer))
            expected = concatenated(bench.banks, [step.block for step in steps])
            assert split.found_within[outer][fold].content == expected.content
        unseen = plain_error(task, bench, outer, split.found_within[outer])
        seen = plain_error(task, bench, outer, dict.fromkeys(others, searched))
        gap = max(0.0, unseen - seen)
        gaps.append(gap)
        known = searched.content in {selection.content for selection in fixed}
        assert split.optimism(searched, outer) == pytest.approx(0 if known else gap, abs=1e-8)
        assert split.optimism(fixed[0], outer) == 0
        chosen = split.choice(outer)
        if chosen.selection == searched and not known:
            best = min(
                plain_error(task, bench, outer, dict.fromkeys(others, each)) for each in fixed
            )
            assert seen + gap <= best
    assert max(gaps) > 0.01  # the target is noise: what was searched looks better than it is


def plain_error(
    task: Task, bench: Bench, outer: int, selections: dict[int, ResolvedSelection]
) -> float:
    """The lowest mean squared error of ridge over folds, each with its own selection."""
    errors = []
    for fold, selection in selections.items():
        X = task.bank.matrix(task.texts, selection.text, dtype=np.float64)
        train = bench.folds.rows([f for f in range(bench.folds.n_folds) if f not in (fold, outer)])
        test, y = bench.folds.rows([fold]), bench.task.Y[:, 0]
        pipelines = [make_pipeline(StandardScaler(), Ridge(alpha)) for alpha in ALPHAS]
        predicted = [pipeline.fit(X[train], y[train]).predict(X[test]) for pipeline in pipelines]
        errors.append([np.mean((each - y[test]) ** 2) for each in predicted])
    return float(np.mean(errors, axis=0).min())
