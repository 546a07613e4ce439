"""``layerbank blend``, and a blend that is repeated from its own record."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from features.errors import InputError, RunError
from regress import evaluate, load_run
from regress.blend import blend, save_blend
from regress.blend.repeat import repeat_blend
from regress.cli import app
from regress.report.page import repeat_command
from tests.regress.blend.runs import QUICK, two_runs
from tests.regress.conftest import MadeUpTask

pytestmark = pytest.mark.usefixtures("without_reports")

MakeTask = Callable[..., MadeUpTask]


def test_the_command_that_repeats_a_blend(
    make_task: MakeTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = two_runs(make_task(50), tmp_path)
    first = save_blend(blend(runs, method="ridge"), tmp_path / "first blend")
    words = shlex.split(repeat_command(load_run(first).description, first))
    assert words[0] == "layerbank"
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, result.output
    before, again = (load_run(path).description for path in (first, tmp_path / "again"))
    # Equal to the last bit, which users are promised: the same calls on the same numbers.
    assert before["blend"] == again["blend"]
    assert [r["scores"] for r in before["results"]] == [r["scores"] for r in again["results"]]


def test_a_blend_is_repeated_to_the_last_digit(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(50)
    runs = two_runs(task, tmp_path)
    first = save_blend(blend(runs, method="ridge"), tmp_path / "blend")
    moved = [shutil.move(run, tmp_path / f"moved-{run.name}") for run in runs]
    command = ["blend", *map(str, moved), "--from", str(first), "--out", str(tmp_path / "again")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "to the last digit" in result.stderr
    before, again = (load_run(path).description["results"] for path in (first, tmp_path / "again"))
    # Equal to the last bit, as the command has said: the same calls on the same numbers.
    assert [result["scores"] for result in before] == [result["scores"] for result in again]
    changed = evaluate(task.bank, task.texts, task.y, models=QUICK[:2])
    changed = changed.save(moved[0], force=True)
    with pytest.raises(RunError, match="is not the one that"):
        repeat_blend(first, [changed, moved[1]])
    with pytest.raises(RunError, match="repeat it with `layerbank regress --from"):
        repeat_blend(changed)
    other = [*command[:-1], str(tmp_path / "other"), "--method", "nnls"]
    with pytest.raises(InputError, match="drop --method"):
        CliRunner().invoke(app, other, catch_exceptions=False)


def test_the_command(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(50)
    runs = [str(run) for run in two_runs(task, tmp_path)]
    result = CliRunner().invoke(app, ["blend", *runs, "--out", str(tmp_path / "blend")])
    assert result.exit_code == 0, result.output
    assert "nested RMSE" in result.stdout
    assert "stacked on out-of-fold predictions" in result.stdout
    command = ["blend", *runs, "--out", str(tmp_path / "b2"), "--json", "--method", "ridge"]
    assert json.loads(CliRunner().invoke(app, command).stdout)["method"] == "ridge"


def test_runs_of_one_name_are_told_apart(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(50)
    runs = [
        evaluate(task.bank, task.texts, task.y, select=select).save(tmp_path / folder / "run")
        for folder, select in (("a", "mean[1]"), ("b", "max[-1]"), ("c/b", "mean[1]"))
    ]
    other = evaluate(task.bank, task.texts, task.y, models="krr").save(tmp_path / "other")
    blended = blend([*runs, other])
    names = [base.name for base in blended.targets[0].bases]
    assert [name.split(": ")[0] for name in names[1:]] == [
        f"{tmp_path.name}/b/run",
        "c/b/run",
        "other",
    ]
    assert len({*names}) == 4
    saved = save_blend(blended, tmp_path / "blend")
    recorded = load_run(saved).description["blend"]["targets"]["target"]["weights"]
    assert [*recorded] == names
    with (saved / "oof.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for base in blended.targets[0].bases:
        np.testing.assert_array_equal([float(row[base.name]) for row in rows], base.predictions[0])
    command = ["blend", "--from", str(saved), "--out", str(tmp_path / "again")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "to the last digit" in result.stderr
