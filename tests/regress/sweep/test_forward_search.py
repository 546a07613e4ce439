"""The forward search: what it finds, that it sees no row it must not, and its optimism."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.banks import Banks
from regress.data.folds import make_folds
from regress.data.task import checked_task
from regress.models.ridge import ALPHAS
from regress.sweep.candidates import ResolvedSelection, concatenated, every_block, single_blocks
from regress.sweep.forward_search import forward_search
from regress.sweep.products import Grams
from regress.sweep.ranking import Ranking
from regress.sweep.search import search
from tests.regress.conftest import MadeUpTask
from tests.regress.sweep.bench import PLENTY, Bench

MakeTask = Callable[..., MadeUpTask]


@pytest.fixture
def task(make_task: MakeTask) -> MadeUpTask:
    return make_task(60, hidden=16)


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


def test_the_forward_search_never_sees_the_outer_fold(task: MadeUpTask, tmp_path: Path) -> None:
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


def test_what_a_search_finds_is_judged_on_rows_it_has_not_seen(
    task: MadeUpTask, tmp_path: Path
) -> None:
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
    task: MadeUpTask, bench: Bench, outer: int, selections: dict[int, ResolvedSelection]
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


def test_the_forward_search_is_weighted(task: MadeUpTask) -> None:
    weights = np.random.default_rng(0).uniform(0.2, 4, 60)
    checked = checked_task(task.texts, task.y, sample_weight=weights)
    folds = make_folds(checked.keys, checked.Y)
    grams = Grams(Banks([task.bank]), checked, folds, PLENTY)
    blocks = every_block(grams.banks)[-2:]
    ranking = Ranking(grams, blocks, (1,), 0)
    found = ranking.error(sum(ranking.products(block) for block in blocks), 30.0)

    rows = ranking.rows
    X, w = task.bank.matrix(task.texts, "max[1:]").astype(float)[rows], checked.weights[rows]
    mean = np.average(X, axis=0, weights=w)
    Z = (X - mean) / np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w))
    t = task.y[rows] - np.average(task.y[rows], weights=w)
    t /= np.sqrt(np.average(t**2, weights=w))
    errors = []
    for fold in set(folds.numbers[rows]):
        held = folds.numbers[rows] == fold
        ridge = Ridge(30.0).fit(Z[~held], t[~held], sample_weight=w[~held])
        errors.append(np.average((ridge.predict(Z[held]) - t[held]) ** 2, weights=w[held]))
    assert found == pytest.approx(np.mean(errors), abs=1e-5)
