"""``layerbank sweep`` and the run folder that it writes."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from regress import TunedKernelRidge, evaluate, load_run
from regress.report.page import repeat_command
from regress.sweep import save_sweep, sweep
from tests.regress.conftest import Cli, MadeUpTask

pytestmark = pytest.mark.usefixtures("without_reports")

MakeTask = Callable[..., MadeUpTask]


def test_a_sweep_predicts_like_any_run(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(60)
    models = ["ridge", TunedKernelRidge([0.5], [0.01, 0.3])]
    found = sweep(task.bank, task.texts, task.y, models=models, n_best=1)
    run = load_run(save_sweep(found, tmp_path / "run"))
    np.testing.assert_allclose(run.predict(task.texts), found.predict(task.texts), atol=1e-12)
    with (tmp_path / "run" / "leaderboard.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.leaderboard)
    description = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert "procedure" in description["sweep"]["scores"]
    assert [r["column"] for r in description["results"]] == ["auto", "auto ridge", "auto krr"]


def test_the_command(cli: Cli, make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(40)
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "y"], *zip(task.texts, task.y, strict=True)])
    out = tmp_path / "run"
    command = ["sweep", tmp_path / "t.csv", "--target", "y", "--bank", task.bank.path, "--out", out]
    command += ["--model", "ridge", "--no-greedy", "--memory", 0.5]
    code, printed, _ = cli(*command)
    assert code == 0
    assert "auto: nested RMSE" in printed
    assert "naive CV RMSE" in printed
    assert (out / "leaderboard.csv").exists()
    code, printed, _ = cli(*command, "--force", "--json", "--quiet")
    assert json.loads(printed)["results"][0]["procedure"] == "auto"


def test_the_command_takes_what_regress_takes(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sample-weight", "bad"], "is inf in row 5"),
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
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    code, out, err = cli(
        "sweep", table, "--target", "score", "--bank", task.bank.path,
        "--out", tmp_path / "run", *options, "-q",
    )  # fmt: skip
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_each_command_repeats_its_own(cli: Cli, task: MadeUpTask, tmp_path: Path) -> None:
    run = evaluate(task.bank, task.texts, task.y).save(tmp_path / "run")
    code, _, err = cli("sweep", "--from", run, "--out", tmp_path / "again")
    assert (code, "repeat it with `layerbank regress --from" in err) == (2, True)
    code, _, err = cli("sweep", "--out", tmp_path / "again")
    assert (code, "INPUT, --target and --bank, or --from" in err) == (2, True)
