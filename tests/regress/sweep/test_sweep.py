"""The whole sweep: what it finds, that it does not flatter, and that it can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tqdm.auto import tqdm

from features.errors import InputError, MissingTexts
from regress import TunedKernelRidge, TunedLightGBM, TunedSVR, make_folds
from regress.evaluation.metrics import rmse
from regress.sweep import Sweep, sweep
from tests.regress.conftest import MadeUpTask

MakeTask = Callable[..., MadeUpTask]
QUICK: list[Any] = [
    "ridge",
    TunedKernelRidge([0.5], [0.01, 0.3]),
    TunedSVR([0.5], [1.0], [0.1]),
    TunedLightGBM(20, 10),
]


def swept(task: MadeUpTask, **options: Any) -> Sweep:
    return sweep(task.bank, task.texts, task.y, **{"models": "ridge", **options})


def test_a_sweep_tries_blocks_combinations_and_a_search(make_task: MakeTask) -> None:
    task = make_task(60)
    found = swept(task, models=QUICK, n_best=2, select="avg(mean[1:])")
    board = found.leaderboard
    tried = set(board["model"] + " " + board["select"])
    assert {"ridge cls[0]", "ridge mean[-2:]", "ridge mean[-1]+max[-1]", "ridge *[:]"} <= tried
    assert {"ridge cls[:]+mean[:]", "ridge mean[:]+max[:]"} <= tried
    assert "ridge avg(mean[1:])" in tried
    assert set(board["kind"]) >= {"block", "combination", "greedy", "auto", "auto krr", "auto svr"}
    assert (board["model"] == "svr").sum() >= 2
    assert board["kind"].iloc[-1] == "baseline"
    assert board["rmse"][:-1].is_monotonic_increasing
    assert board["ties"].iloc[0]
    assert (board["behind_low"] <= board["behind"] + 1e-9).all()
    auto = found.results[0]
    assert found.label(auto) == "auto"
    assert all(result.seconds > 0 for result in found.results)
    assert auto.scores.rmse == pytest.approx(rmse(task.y, auto.predictions))
    winner = board[(board["model"] == auto.model) & (board["select"] == auto.select)]
    assert winner["naive_rmse"].min() == pytest.approx(auto.naive_rmse)


def test_the_bar_names_each_stage_and_ends_with_the_work(
    make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: list[Any] = []

    class Bar(tqdm):  # type: ignore[type-arg]
        def set_description_str(self, desc: str | None = None, refresh: bool | None = True) -> None:
            bars.append((desc, self.n, float(self.total)))
            super().set_description_str(desc, refresh)

        def close(self) -> None:
            if self.desc:
                bars.append(("end", self.n, float(self.total)))
            super().close()

    monkeypatch.setattr("regress.sweep.progress.progress_bar", Bar)
    swept(make_task(60), models=QUICK[:2], n_best=2, progress=True)
    stages = ["sweep, ridge", "sweep, forward search", "sweep, krr", "end"]
    assert [name for name, _, _ in bars[: len(stages)]] == stages
    assert all(done < total for _, done, total in bars[:3])
    _, done, total = bars[3]
    assert 0.5 * total <= done <= 1.001 * total


def test_shuffled_targets_score_nothing_and_the_naive_score_flatters(make_task: MakeTask) -> None:
    task = make_task(200)
    y = np.random.default_rng(3).permutation(task.y)
    found = sweep(task.bank, task.texts, y, models=QUICK)
    for result in found.results:
        assert result.scores.r2 <= 0.02, found.label(result)
    searched = {row.kind: row for row in found.rows("target")}
    assert searched["greedy"].scores.r2 <= 0.02
    assert 1 - searched["greedy"].naive_rmse ** 2 / np.var(y) > searched["greedy"].scores.r2
    auto = found.results[0]
    naive_r2 = 1 - auto.naive_rmse**2 / np.var(y)
    assert naive_r2 > max(0.005, auto.scores.r2 + 0.005)


def test_no_row_is_predicted_by_what_saw_it(make_task: MakeTask) -> None:
    """Spoil one fold's targets: all that is chosen and fitted without it predicts the same."""
    task = make_task(60)
    folds = make_folds(np.arange(60, dtype=np.uint8)[:, None], task.y)
    groups = [str(number) for number in folds.numbers]
    options: dict[str, Any] = {"groups": groups, "folds": "group", "models": QUICK[:2], "n_best": 2}
    plain = sweep(task.bank, task.texts, task.y, **options)
    spoiled = plain.folds.numbers == 2
    y = np.where(spoiled, -50 * task.y, task.y)
    other = sweep(task.bank, task.texts, y, **options)
    np.testing.assert_array_equal(other.folds.numbers, plain.folds.numbers)
    for one, two in zip(plain.results, other.results, strict=True):
        np.testing.assert_allclose(two.predictions[spoiled], one.predictions[spoiled], atol=1e-8)


def test_several_targets_and_two_banks(make_task: MakeTask) -> None:
    one, texts, y = make_task(50, seed=1, name="one.bank")
    other = make_task(50, seed=1, name="other.bank", hidden=4).bank
    both = np.stack([y, -(y**2)], axis=1)
    found = sweep([one, other], texts, both, models="ridge", greedy=False, target_names=["a", "b"])
    assert [found.label(result) for result in found.results] == ["a: auto", "b: auto"]
    assert set(found.leaderboard["target"]) == {"a", "b"}
    assert "one/mean[:]+other/mean[:]" in set(found.leaderboard["select"])


def test_what_cannot_be_swept(make_task: MakeTask) -> None:
    task = make_task(20)
    with pytest.raises(InputError, match="no regressor 'forest'"):
        swept(task, models=["forest"])
    with pytest.raises(InputError, match="a selection at least, not 0"):
        swept(task, n_best=0)
    with pytest.raises(MissingTexts, match="lacks 1 of the texts"):
        sweep(task.bank, [*task.texts[:-1], "another"], task.y)
