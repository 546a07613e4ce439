"""Weights, repeats, given folds and fold-wise banks in a sweep: what `evaluate` makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from regress import TunedRidge, TunedSVR, evaluate
from regress.sweep import Sweep, save_sweep, sweep
from tests.regress.conftest import MadeUpTask, fill

MakeTask = Callable[..., MadeUpTask]
QUICK: list[Any] = ["ridge", TunedSVR([0.5], [1.0], [0.1])]
EXACT = {"rtol": 0, "atol": 1e-7}
pytestmark = pytest.mark.usefixtures("without_reports")


def line(swept: Sweep, label: str) -> Any:
    return next(row for row in swept.rows(swept.task.target_names[0]) if row.label == label)


@pytest.mark.parametrize("memory", [None, 1])
def test_lines_of_a_weighted_sweep_are_weighted_evaluations(
    make_task: MakeTask, memory: int | None
) -> None:
    task = make_task(60, hidden=16)
    weights = np.random.default_rng(0).uniform(0.2, 4, 60)
    options: dict[str, Any] = {"models": QUICK, "sample_weight": weights}
    swept = sweep(task.bank, task.texts, task.y, memory=memory, greedy=False, **options)
    for select in ("mean[1]", "mean[:]", "*[:]"):
        result = evaluate(task.bank, task.texts, task.y, select=select, sample_weight=weights).best
        of_sweep = line(swept, f"ridge {select}")
        np.testing.assert_allclose(of_sweep.predictions, result.predictions, **EXACT)
        assert of_sweep.scores.rmse == pytest.approx(result.scores.rmse)
        assert of_sweep.naive_rmse == pytest.approx(result.naive_rmse)
    best = line(swept, f"svr {swept.results[2].select}")
    alone = evaluate(task.bank, task.texts, task.y, select=best.select, **options).results
    expected = next(result for result in alone if result.model == "svr")
    np.testing.assert_allclose(best.predictions, expected.predictions, rtol=0, atol=1e-5)


def test_repeats_are_means_over_whole_searches(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(40)
    options: dict[str, Any] = {"models": QUICK, "n_best": 1}
    both = sweep(task.bank, task.texts, task.y, random_state=[3, 4], **options)
    alone = [sweep(task.bank, task.texts, task.y, random_state=seed, **options) for seed in (3, 4)]
    for at, result in enumerate(both.results):
        parts = [one.results[at] for one in alone]
        assert result.scores.rmse == pytest.approx(np.mean([p.scores.rmse for p in parts]))
        np.testing.assert_allclose(result.repeats[0].predictions, parts[1].predictions, **EXACT)
    same = [line(one, "ridge mean[:]").scores.rmse for one in (both, *alone)]
    assert same[0] == pytest.approx(np.mean(same[1:]))
    assert both.leaderboard["rmse"][:-1].is_monotonic_increasing
    run = save_sweep(both, tmp_path / "run")
    oof = pd.read_csv(run / "oof.csv")
    np.testing.assert_allclose(oof["auto (seed 4)"], alone[1].results[0].predictions, **EXACT)


def test_near_duplicates_are_counted_in_a_sweep(
    make_task: MakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    task = make_task(30)
    words = " ".join(f"word{i}" for i in range(60))
    more = [f"{words} {i}" for i in range(6)]
    rng = np.random.default_rng(1)
    fill(task.bank, more, rng.standard_normal((6, 9, 6)).astype(np.float32))
    swept = sweep(task.bank, task.texts + more, np.r_[task.y, np.arange(6.0)], models="ridge",
                  greedy=False)  # fmt: skip
    assert swept.near is not None
    assert swept.near.pairs == 15


def test_a_selection_found_in_two_ways_is_one_line(task: MadeUpTask) -> None:
    swept = sweep(task.bank, task.texts, task.y, models=QUICK, n_best=3,
                  select=["max[-1]+mean[-1]", "mean[1,2]", "mean[0:3]"])  # fmt: skip
    board = swept.leaderboard
    cells = board[board["kind"].isin(["block", "combination"])]
    resolved = [
        (model, tuple(sorted(repr(b) for t in task.bank.resolve(select) for b in t.blocks)))
        for model, select in zip(cells["model"], cells["select"], strict=True)
    ]
    assert len(set(resolved)) == len(resolved)
    labels = [one.label for one in swept.rows("target")]
    assert len(set(labels)) == len(labels)


def test_svr_in_a_sweep_beyond_its_rows_approximates(make_task: MakeTask) -> None:
    task = make_task(60)
    model = TunedSVR([0.5], [1.0], [0.1], max_rows=50, n_landmarks=20)
    swept = sweep(task.bank, task.texts, task.y, models=["ridge", model], n_best=1, greedy=False)
    best = next(one for one in swept.rows("target") if one.model == "svr")
    alone = evaluate(task.bank, task.texts, task.y, select=best.select, models=[model]).best
    np.testing.assert_allclose(best.predictions, alone.predictions, **EXACT)


def test_ridge_alone_is_tried_where_it_is_asked_for(task: MadeUpTask) -> None:
    swept = sweep(task.bank, task.texts, task.y, models=TunedRidge([1.0, 10.0]), greedy=False)
    assert [swept.label(result) for result in swept.results] == ["auto"]
