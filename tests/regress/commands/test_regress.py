"""``python -m regress``: results on stdout, one sentence and exit code 2 for bad input."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regress import load_run
from tests.regress.conftest import Cli, MadeUpTask

pytestmark = pytest.mark.usefixtures("without_reports")


def test_regress_then_predict(cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code, out, err = cli(
        "regress", table, "--target", "score", "--id", "id", "--bank", task.bank.path,
        "--select", "mean[-1]", "--select", "mean[:]", "--model", "ridge", "--out", run,
    )  # fmt: skip
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("60 texts, 5 stratified folds (seed 0, hash ")
    assert lines[2].split()[:3] == ["RMSE", "±", "se"]
    rows = [line.split() for line in lines[3:5]]
    assert {row[-1] for row in rows} == {"mean[-1]", "mean[:]"}
    assert float(rows[0][0]) <= float(rows[1][0])
    assert lines[5].endswith("training mean")
    assert max(map(len, lines[2:])) <= 80
    assert f"layerbank predict {run} NEW.csv\n" in err
    with (run / "oof.csv").open(encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    assert first["id"] == "000"
    assert load_run(run).description["input"]["target"] == ["score"]

    submission = tmp_path / "out" / "submission.csv"
    code, out, _ = cli("predict", run, table, "--id", "id", "--out", submission)
    assert code == 0
    assert f"{submission}: 60 predictions by ridge mean[" in out
    with submission.open(encoding="utf-8") as file:
        written = list(csv.reader(file))
    assert written[0] == ["id", "score"]
    assert [row[0] for row in written[1:3]] == ["000", "001"]
    predicted = np.array([float(row[1]) for row in written[1:]])
    np.testing.assert_array_equal(predicted, load_run(run).predict(task.texts))


def test_json_and_row_numbers(cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code, out, err = cli(
        "regress", table, "--target", "score", "--bank", task.bank.path, "--group", "author",
        "--cv", 4, "--seed", 3, "--out", run, "--json", "-q",
    )  # fmt: skip
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["folds"]["scheme"] == "group"
    assert report["folds"]["n_folds"] == 4
    assert report["results"][0]["select"] == "mean[-1]"
    submission = tmp_path / "submission.csv"
    code, out, _ = cli("predict", run, table, "--out", submission, "--json", "--model", "ridge")
    assert json.loads(out)["n_texts"] == 60
    assert submission.read_text(encoding="utf-8").splitlines()[0] == "row,score"
    assert submission.read_text(encoding="utf-8").splitlines()[1].startswith("1,")
    code, _, err = cli("predict", run, table, "--out", submission)
    assert code == 2
    assert "exists: give another --out, or --force" in err
    assert cli("predict", run, table, "--out", submission, "--force")[0] == 0
    code, _, err = cli("predict", "no run", "no.csv", "--out", tmp_path / "submission.xlsx")
    assert (code, "name a .csv or .parquet in --out" in err) == (2, True)
    parquet = tmp_path / "submission.parquet"
    assert cli("predict", run, table, "--out", parquet)[0] == 0
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), pd.read_csv(submission))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--target", "flat"], "target 'flat' has one distinct value"),
        (["--target", "level"], "no finite number in column 'level' in row 5"),
        (["--target", "scor"], "no column 'scor' (did you mean 'score'?)"),
        (["--model", "svm"], "no regressor 'svm' (did you mean 'svr'?)"),
        (["--select", "mean[9]"], "layers 0 to 2"),
        (["--cv", "61"], "cannot be divided into 61 folds"),
        (["--cv", "1"], "1 folds are too few"),
        (["--folds", "random"], "not 'random'"),
        (["--folds", "group"], "--group COLUMN"),
        (["--folds", "plain", "--group", "author"], "drop one of them"),
        (["--group", "writer"], "no column 'writer'"),
        (["--bank", "nowhere.bank"], "nowhere.bank"),
        (["--jobs", "0"], "--jobs takes a number from 1 on, not 0"),
        (["--jobs", "-5", "--backend", "loky"], "--jobs takes a number from 1 on, not -5"),
    ],
)
def test_bad_input_is_one_sentence(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path, changes: list[str], message: str
) -> None:
    arguments = ["regress", table]
    given = {"--target": "score", "--bank": task.bank.path, "--out": tmp_path / "run"}
    given |= dict(zip(changes[::2], changes[1::2], strict=True))
    code, out, err = cli(*arguments, *(item for pair in given.items() for item in pair), "-q")
    assert code == 2
    assert out == ""
    assert err.startswith("layerbank: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_missing_texts_name_the_command(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    of_bank = ["--target", "score", "--bank", task.bank.path]
    assert cli("regress", table, *of_bank, "--out", run)[0] == 0
    more = tmp_path / "more texts.csv"
    more.write_text(
        table.read_text("utf-8")
        + "060,,1.5,author 1,7,1,3,1,1,1,1\n061,not yet encoded,1.5,author 1,7,1,3,1,1,1,1\n",
        "utf-8",
    )
    typed = f"layerbank extract '{more}' --text text --skip-empty --bank {task.bank.path}"
    for call in (
        ["regress", more, *of_bank, "--out", tmp_path / "a"],
        ["sweep", more, *of_bank, "--out", tmp_path / "b"],
        ["predict", run, more, "--out", tmp_path / "c.csv"],
    ):
        code, _, err = cli(*call, "--skip-empty", "-q")
        assert code == 2
        assert err.startswith("layerbank: error: ")
        assert "lacks 1 of the texts, first at row 62: " in err
        assert f"`{typed}`" in err


def test_ctrl_c_says_what_is_left(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, cache: Path | None = None, **__: object) -> None:
        if cache is not None:
            cache.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr("regress.experiment.evaluate", stopped)
    monkeypatch.setattr("regress.sweep.procedure.sweep", stopped)
    out = tmp_path / "run"
    call = [table, "--target", "score", "--bank", task.bank.path, "--out", out]
    assert cli("regress", *call) == (130, "", "stopped: nothing was written\n")
    code, _, err = cli("sweep", *call)
    assert code == 130
    assert err == (
        f"stopped: what is done is kept in {out}.parts, and the same call goes on from there\n"
    )


def test_existing_folders_are_left_alone(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path
) -> None:
    call = ["regress", table, "--target", "score", "--bank", task.bank.path, "--out", tmp_path]
    code, _, err = cli(*call)
    assert (code, err.count("\n")) == (2, 1)
    assert "exists: give another --out" in err
    code, _, err = cli(*call, "--force")
    assert code == 2
    assert "--force leaves it" in err


@pytest.mark.parametrize("command", ["regress", "predict"])
def test_help_shows_an_example(cli: Cli, command: str) -> None:
    code, out, _ = cli(command, "--help")
    assert code == 0
    assert "Example:" in out


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys, regress, regress.cli\n"
        "heavy = {'sklearn', 'lightgbm', 'pandas', 'h5py', 'scipy', 'torch', 'transformers'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "from regress import evaluate\n"
        "assert not {'torch', 'transformers', 'extract'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
