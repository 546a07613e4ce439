"""Repeats, given folds, weights, memory and `--from` on the command line and in `evaluate`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.errors import InputError
from regress import TunedLightGBM, TunedSVR, evaluate, load_run
from regress.data.matrix import StreamedMatrix
from regress.data.near_duplicates import near_duplicates
from regress.report.tables import results_text
from regress.sweep import sweep
from tests.regress.conftest import Cli, MadeUpTask, fill

MakeTask = Callable[..., MadeUpTask]


pytestmark = pytest.mark.usefixtures("without_reports")


def test_repeats_are_means_over_seeds(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    base = ["regress", table, "--target", "score", "--bank", task.bank.path, "--out", run]
    code, out, _ = cli(*base, "--seed", 3, "--repeats", 2)
    assert code == 0
    assert "means over 2 splits into folds (seeds 3, 4)" in out
    alone = [evaluate(task.bank, task.texts, task.y, random_state=seed) for seed in (3, 4)]
    [result] = load_run(run).description["results"]
    rmse = np.mean([scored.best.scores.rmse for scored in alone])
    assert result["scores"]["rmse"] == pytest.approx(rmse, abs=1e-12)
    oof = pd.read_csv(run / "oof.csv")
    first, second = (scored.best.predictions for scored in alone)
    np.testing.assert_allclose(oof["ridge mean[-1]"], first, rtol=0, atol=1e-12)
    np.testing.assert_allclose(oof["ridge mean[-1] (seed 4)"], second, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(oof["fold (seed 4)"], alone[1].folds.numbers)


def test_folds_come_from_a_column(cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code, out, _ = cli(
        "regress", table, "--target", "score", "--bank", task.bank.path, "--out", run,
        "--fold-column", "fold",
    )  # fmt: skip
    assert (code, out.split("(")[0]) == (0, "60 texts, 4 given folds ")
    assert pd.read_csv(run / "oof.csv")["fold"].tolist() == [i % 4 + 1 for i in range(60)]
    assert load_run(run).description["folds"]["labels"] == ["1", "2", "3", "4"]


def test_given_folds_are_used_as_they_are(task: MadeUpTask) -> None:
    labels = ["10", "9", "b"] * 20
    experiment = evaluate(task.bank, task.texts, task.y, folds=labels)
    assert experiment.folds.labels == ("9", "10", "b")
    assert experiment.folds.names == labels
    numbered = evaluate(task.bank, task.texts, task.y, folds=[1, 0, 2] * 20)
    assert numbered.folds.digest == experiment.folds.digest
    np.testing.assert_array_equal(numbered.best.predictions, experiment.best.predictions)


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (["a", "b", "c", "a", "e", "f"], [0, 1, 2, 1, 2, 0], "rows 1 and 4 hold the same text"),
        (["a", "b", "c", "d", "e", "f"], [0, 1, 0, 1, 0, 1], "there is only fold 0, 1"),
        (["a", "b", "c", "d", "e", "f"], [0, 1, 2, 3, 4, 5], "different folds"),
        (["a", "b", "c", "d", "e", "f"], [0, 1, None, 0, 1, 2], "row 3 has no fold"),
        (["a", "b", "c", "d", "e", "f"], ["x", "y", "z", "NaN", "x", "y"], "row 4 has no fold"),
        (["a", "b", "c", "d", "e", "f"], [0, 1, 2], "6 texts and 3 folds"),
    ],
)
def test_folds_that_cannot_be_taken(texts: list[str], labels: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate("nowhere-{fold}.bank", texts, range(6), folds=labels)


def test_weights_reach_fits_and_scores(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path
) -> None:
    code, out, _ = cli(
        "regress", table, "--target", "score", "--bank", task.bank.path,
        "--out", tmp_path / "run", "--sample-weight", "weight",
    )  # fmt: skip
    weights = [1.0 + i % 3 for i in range(60)]
    experiment = evaluate(task.bank, task.texts, task.y, sample_weight=weights)
    squared = (experiment.best.predictions - task.y) ** 2
    expected = np.sqrt(np.average(squared, weights=weights))
    assert experiment.best.scores.rmse == pytest.approx(expected)
    assert code == 0
    assert "weighted by the sample weights" in out
    assert f"{expected:.4f}" in out


MODELS = ["ridge", TunedSVR([0.5], [1.0, 4.0], [0.1]), TunedLightGBM(40, 10)]


@pytest.mark.parametrize("select", ["mean[-1]", "*[:]"])
def test_a_tiny_memory_changes_no_number(
    make_task: MakeTask, select: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, texts, y = make_task(200, hidden=40)
    whole = evaluate(bank, texts, y, select=select, models=MODELS)
    asked: list[int] = []
    read = StreamedMatrix._read

    def counted(self: StreamedMatrix, rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return read(self, rows)

    monkeypatch.setattr(StreamedMatrix, "_read", counted)
    limited = evaluate(bank, texts, y, select=select, models=MODELS, memory=50_000)
    assert asked
    assert max(asked) <= 160  # never all rows at once
    for a, b in zip(whole.results, limited.results, strict=True):
        assert (a.model, a.params) == (b.model, b.params)
        np.testing.assert_allclose(a.predictions, b.predictions, rtol=0, atol=1e-6)


@pytest.mark.parametrize("options", [["--seed", 2, "--repeats", 2], ["--fold-column", "fold"]])
def test_from_repeats_to_the_last_digit(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path, options: list[Any]
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    code, *_ = cli(
        "regress", table, "--target", "score", "--target", "double", "--bank", task.bank.path,
        "--id", "id", "--sample-weight", "weight", "--select", "mean[:]", "--select", "cls[1]",
        "--model", "svr", "--model", "ridge", "--out", first, *options,
    )  # fmt: skip
    assert code == 0
    code, _, err = cli("regress", "--from", first, "--out", again, "--jobs", 1)
    assert code == 0
    assert "to the last digit" in err
    assert (first / "oof.csv").read_bytes() == (again / "oof.csv").read_bytes()
    then, now = (load_run(run).description for run in (first, again))
    changing = {"created", "results"}
    assert {k: v for k, v in then.items() if k not in changing} == {
        k: v for k, v in now.items() if k not in changing
    }
    for a, b in zip(then["results"], now["results"], strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


def test_from_finds_what_has_moved_and_names_what_has_changed(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    cli("regress", table, "--target", "score", "--bank", task.bank.path, "--out", run)
    moved = shutil.move(task.bank.path, tmp_path / "moved.bank")
    file = shutil.move(table, tmp_path / "moved.csv")
    code, _, err = cli("regress", file, "--bank", moved, "--from", run, "--out", tmp_path / "again")
    assert (code, "to the last digit" in err) == (0, True)
    content = file.read_text("utf-8")
    other = ["regress", file, "--bank", moved, "--from", run, "--out", tmp_path / "other"]
    file.write_text(content.replace("text 7 of", "text 7 from"), "utf-8")
    assert "the texts of" in cli(*other)[2]
    file.write_text(content.replace("000,text 0 of seed 0,", "000,text 0 of seed 0,1"), "utf-8")
    code, _, err = cli(*other)
    assert (code, "the targets or weights of" in err) == (2, True)
    code, _, err = cli(*other, "--cv", 4)
    assert (code, "drop --cv" in err) == (2, True)


def test_a_run_from_python_has_no_file(cli: Cli, task: MadeUpTask, tmp_path: Path) -> None:
    run = evaluate(task.bank, task.texts, task.y).save(tmp_path / "run")
    code, _, err = cli("regress", "--from", run, "--out", tmp_path / "again")
    assert code == 2
    assert "does not say which file" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sample-weight", "bad"], "is inf in row 5"),
        (["--sample-weight", "text"], "for a sample weight in row 1 of column 'text'"),
        (["--sample-weight", "wight"], "no column 'wight'"),
        (["--fold-column", "nofold"], "row 10 has no fold"),
        (["--fold-column", "id"], "60 rows have 60 different folds"),
        (["--fold-column", "fold", "--group", "id"], "drop --folds and --group"),
        (["--fold-column", "fold", "--seed", "1"], "drop --seed and --repeats"),
        (["--fold-column", "fold", "--cv", "4"], "drop --cv"),
        (["--seed", "1", "--seed", "1"], "repeats need different seeds, not 1, 1"),
        (["--seed", "-1"], "--seed takes numbers from 0 on"),
        (["--repeats", "0"], "--repeats takes a number from 1 on"),
        (["--memory", "0"], "--memory takes gigabytes above 0"),
        (["--memory", "inf"], "--memory takes gigabytes above 0"),
        (["--bank", "x-{fold}.bank"], "give no other --bank beside it"),
    ],
)
def test_bad_options_are_one_sentence(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    code, out, err = cli(
        "regress", table, "--target", "score", "--bank", task.bank.path,
        "--out", tmp_path / "run", *options, "-q",
    )  # fmt: skip
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_numbers_are_those_of_files_and_not_of_python(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path
) -> None:
    lines = table.read_text("utf-8").splitlines()
    cells = lines[1].split(",")
    cells[lines[0].split(",").index("weight")] = "1_0"
    table.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]), "utf-8")
    code, _, err = cli(
        "regress", table, "--target", "score", "--bank", task.bank.path,
        "--sample-weight", "weight", "--out", tmp_path / "run", "-q",
    )  # fmt: skip
    assert (code, "has '1_0' for a sample weight in row 1" in err) == (2, True)


def test_what_regress_needs_is_named(cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("regress", "--out", tmp_path / "run")
    assert (code, "INPUT, --target and --bank, or --from" in err) == (2, True)


def test_near_duplicates_are_counted() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 500, 80)) for _ in range(40)]
    near = [texts[3].replace(texts[3].split()[5], "other"), texts[8].upper() + " END"]
    found = near_duplicates([*texts, *near, texts[0]], np.r_[np.arange(42) % 3, 1])
    assert found is not None
    # 3 and 40 are in folds 0 and 1, 8 and 41 both in fold 2; equal texts do not count.
    assert (found.pairs, found.straddling, found.first) == (2, 1, (3, 40))
    assert near_duplicates(["", "a", "b b", ("a", "b")], np.zeros(4, int)) is not None


def test_straddling_near_duplicates_are_told(make_task: MakeTask) -> None:
    task = make_task(30)
    words = " ".join(f"word{i}" for i in range(60))
    more = [f"{words} {i}" for i in range(6)]
    rng = np.random.default_rng(1)
    fill(task.bank, more, rng.standard_normal((6, 9, 6)).astype(np.float32))
    experiment = evaluate(task.bank, task.texts + more, np.r_[task.y, np.arange(6.0)])
    assert experiment.near is not None
    assert experiment.near.pairs == 15
    assert "near-duplicates: 15 pairs" in results_text(experiment).plain


@pytest.mark.parametrize("weights", [None, np.r_[np.ones(30), 3.0, 1.0, 1.0]])
def test_equal_texts_that_contradict_each_other_are_told(
    make_task: MakeTask, weights: np.ndarray | None
) -> None:
    task = make_task(30)
    texts = [*task.texts, *task.texts[3:6]]
    y = np.r_[task.y, task.y[3] + 1, task.y[4], task.y[5] - 2]
    experiment = evaluate(task.bank, texts, y, sample_weight=weights)
    # Half-way between two values, or three quarters towards the one of three times the weight.
    floor = np.sqrt((0.5 + 2.0) / 33) if weights is None else np.sqrt((0.75 + 2.0) / 35)
    assert (
        "equal texts: 2 texts stand in several rows that differ in target (the first: row 4)"
        in (told := results_text(experiment).plain)
    )
    assert f"has an RMSE below {floor:.4f} here" in told
    again = evaluate(task.bank, texts, np.r_[task.y, task.y[3:6]])
    assert "equal texts" not in results_text(again).plain


@pytest.mark.parametrize("n_jobs", [0, -2])
def test_workers_are_counted_from_one(make_task: MakeTask, n_jobs: int) -> None:
    task = make_task(30)
    for function in (evaluate, sweep):
        with pytest.raises(InputError, match=f"n_jobs takes a number from 1 on.*not {n_jobs}"):
            function(task.bank, task.texts, task.y, n_jobs=n_jobs)
