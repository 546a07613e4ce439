"""Weights, repeats, given folds and fold-wise banks in a sweep: what `evaluate` makes of them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from regress import TunedRidge, TunedSVR, evaluate, load_run
from regress.data.folds import make_folds
from regress.data.task import checked_task
from regress.report.page import repeat_command
from regress.sweep import Sweep, save_sweep, sweep
from regress.sweep.candidates import every_block
from regress.sweep.products import Grams
from regress.sweep.ranking import Ranking
from tests.regress.conftest import Cli, Task, fill

MakeTask = Callable[..., Task]
QUICK: list[Any] = ["ridge", TunedSVR([0.5], [1.0], [0.1])]
EXACT = {"rtol": 0, "atol": 1e-7}
pytestmark = pytest.mark.usefixtures("without_reports")


def line(swept: Sweep, label: str) -> Any:
    return next(one for one in swept.leaders[swept.task.target_names[0]] if one.label == label)


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


def test_the_forward_search_is_weighted(task: Task) -> None:
    weights = np.random.default_rng(0).uniform(0.2, 4, 60)
    task = checked_task(task.texts, task.y, sample_weight=weights)
    folds = make_folds(task.keys, task.Y)
    grams = Grams(evaluate(task.bank, task.texts, task.y).banks, task, folds, 1 << 30)
    blocks = every_block(grams.banks)[-2:]
    ranking = Ranking(grams, blocks, (1,), 0)
    found = ranking.error(sum(ranking.products(block) for block in blocks), 30.0)

    rows = ranking.rows
    X, w = task.bank.matrix(task.texts, "max[1:]").astype(float)[rows], task.weights[rows]
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
    assert both.leaderboard["rmse"].is_monotonic_increasing
    run = save_sweep(both, tmp_path / "run")
    oof = pd.read_csv(run / "oof.csv")
    np.testing.assert_allclose(oof["auto (seed 4)"], alone[1].results[0].predictions, **EXACT)


def test_the_command_takes_what_regress_takes(
    cli: Cli, task: Task, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    base = ["sweep", table, "--target", "score", "--bank", task.bank.path, "--model", "ridge"]
    code, out, _ = cli(
        *base, "--fold-column", "fold", "--sample-weight", "weight", "--id", "id",
        "--memory", 0.5, "--best", 2, "--no-greedy", "--select", "avg(mean[:])", "--out", run,
    )  # fmt: skip
    assert code == 0
    assert "weighted by the sample weights" in out
    oof = pd.read_csv(run / "oof.csv")
    assert oof["fold"].tolist() == [i % 4 + 1 for i in range(60)]
    assert oof["weight"].nunique() == 3

    monkeypatch.chdir(tmp_path)
    code, _, err = cli(*shlex.split(repeat_command(load_run(run).description, run))[1:])
    assert (code, "to the last digit" in err) == (0, True)
    assert (tmp_path / "again.parts").is_dir()
    one, again = (
        json.loads((tmp_path / name / "run.json").read_text("utf-8"))["sweep"]
        for name in ("run", "again")
    )
    assert one == again
    code, _, err = cli(*base, "--out", run)
    assert (code, f"which takes what is done already from {run}.parts" in err) == (2, True)


def test_parts_are_not_taken_for_those_of_other_weights_or_folds(
    cli: Cli, task: Task, table: Path, tmp_path: Path
) -> None:
    base = ["sweep", table, "--target", "score", "--bank", task.bank.path, "--model", "ridge",
            "--no-greedy", "--out", tmp_path / "run", "--force", "--json"]  # fmt: skip
    scores = []
    options = ([], ["--sample-weight", "weight"], ["--fold-column", "fold"], ["--repeats", 2])
    for given in options:
        code, out, _ = cli(*base, *given)
        assert code == 0
        scores.append(json.loads(out)["results"][0]["rmse"])
    assert len(set(scores)) == len(options)
    kept = sorted((tmp_path / "run.parts").iterdir())
    times = [path.stat().st_mtime_ns for path in kept]
    assert json.loads(cli(*base, "--sample-weight", "weight")[1])["results"][0]["rmse"] == scores[1]
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert sorted((tmp_path / "run.parts").iterdir()) == kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sample-weight", "bad"], "is 0 in row 4, 5"),
        (["--fold-column", "nofold"], "row 10 has no fold"),
        (["--fold-column", "fold", "--group", "author"], "drop --folds and --group"),
        (["--fold-column", "fold", "--repeats", "2"], "drop --seed and --repeats"),
        (["--fold-column", "fold", "--cv", "4"], "drop --cv"),
        (["--memory", "0"], "--memory takes gigabytes above 0"),
        (["--bank", "x-{fold}.bank"], "give no other --bank beside it"),
        (["--from", "run"], "drop --target"),
        (["--best", "0"], "a selection at least, not 0"),
    ],
)
def test_bad_options_of_a_sweep_are_one_sentence(
    cli: Cli, task: Task, table: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    code, out, err = cli(
        "sweep", table, "--target", "score", "--bank", task.bank.path,
        "--out", tmp_path / "run", *options, "-q",
    )  # fmt: skip
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_each_command_repeats_its_own(cli: Cli, task: Task, tmp_path: Path) -> None:
    run = evaluate(task.bank, task.texts, task.y).save(tmp_path / "run")
    code, _, err = cli("sweep", "--from", run, "--out", tmp_path / "again")
    assert (code, "repeat it with `layerbank regress --from" in err) == (2, True)
    code, _, err = cli("sweep", "--out", tmp_path / "again")
    assert (code, "INPUT, --target and --bank, or --from" in err) == (2, True)


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


def test_a_selection_found_in_two_ways_is_one_line(task: Task) -> None:
    swept = sweep(task.bank, task.texts, task.y, models=QUICK, n_best=3,
                  select=["max[-1]+mean[-1]", "mean[1,2]", "mean[0:3]"])  # fmt: skip
    board = swept.leaderboard
    cells = board[board["kind"].isin(["block", "combination"])]
    resolved = [
        (model, tuple(sorted(repr(b) for t in task.bank.resolve(select) for b in t.blocks)))
        for model, select in zip(cells["model"], cells["select"], strict=True)
    ]
    assert len(set(resolved)) == len(resolved)
    labels = [one.label for one in swept.leaders["target"]]
    assert len(set(labels)) == len(labels)


def test_svr_in_a_sweep_beyond_its_rows_approximates(make_task: MakeTask) -> None:
    task = make_task(60)
    model = TunedSVR([0.5], [1.0], [0.1], max_rows=50, n_landmarks=20)
    swept = sweep(task.bank, task.texts, task.y, models=["ridge", model], n_best=1, greedy=False)
    best = next(one for one in swept.leaders["target"] if one.model == "svr")
    alone = evaluate(task.bank, task.texts, task.y, select=best.select, models=[model]).best
    np.testing.assert_allclose(best.predictions, alone.predictions, **EXACT)


def test_ridge_alone_is_tried_where_it_is_asked_for(task: Task) -> None:
    swept = sweep(task.bank, task.texts, task.y, models=TunedRidge([1.0, 10.0]), greedy=False)
    assert [swept.label(result) for result in swept.results] == ["auto"]
