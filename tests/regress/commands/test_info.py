"""``info`` of runs, banks and folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from features.console.show import encoder_name
from regress import evaluate
from regress.blend import blend, save_blend
from regress.runs.save import save_run
from regress.sweep import save_sweep, sweep
from tests.regress.conftest import Cli, MadeUpTask

pytestmark = pytest.mark.usefixtures("without_reports")

MakeTask = Callable[..., MadeUpTask]


@pytest.fixture
def folder(task: MadeUpTask, tmp_path: Path) -> Path:
    """A folder with a bank, two runs of one target and one of another."""
    for name, select, target in (("late", "mean[-1]", "score"), ("early", "mean[0]", "score"),
                                 ("other", "mean[1]", "age")):  # fmt: skip
        experiment = evaluate(
            task.bank, task.texts, task.y, select=select, target_names=[target],
        )  # fmt: skip
        experiment.save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no run")
    return tmp_path


def test_a_run(cli: Cli, folder: Path, task: MadeUpTask) -> None:
    code, out, _ = cli("info", folder / "late")
    assert code == 0
    assert {line.split()[0] for line in out.splitlines()[:7]} == {
        "run", "made", "encoder", "bank", "texts", "folds", "size",
    }  # fmt: skip
    assert "layerbank report" in out
    assert "made-up" in out
    assert str(task.bank.path) in out
    lines = out.splitlines()
    table = lines[lines.index("score") + 1 :]
    assert [line.split()[-1] for line in table[1:3]] == ["mean[-1]", "mean"]
    assert table[1].split()[2] == "★"
    assert max(map(len, table)) <= 80
    found = json.loads(cli("info", folder / "late", "--json")[1])
    assert [row["kind"] for row in found["results"]["score"]] == ["result", "baseline"]
    assert found["encoders"] == ["made-up"]


def test_a_run_lives_without_its_bank_and_elsewhere(
    cli: Cli, folder: Path, task: MadeUpTask
) -> None:
    shutil.rmtree(task.bank.path)
    shutil.move(folder / "late", folder / "moved")
    code, out, _ = cli("info", folder / "moved")
    assert code == 0
    assert "training mean" in out


def test_sweeps_and_blends(cli: Cli, task: MadeUpTask, folder: Path) -> None:
    swept = sweep(
        task.bank, task.texts, task.y, models="ridge", greedy=False, target_names=["score"]
    )
    save_sweep(swept, folder / "swept")
    out = cli("info", folder / "swept")[1]
    assert f"auto (ridge {swept.best.select})" in out
    save_blend(blend([folder / "late", folder / "early"]), folder / "blended")
    out = cli("info", folder / "blended")[1]
    assert out.startswith("blend ")
    assert out.count("made-up") >= 1


def test_a_folder(cli: Cli, folder: Path) -> None:
    code, out, _ = cli("info", folder)
    assert code == 0
    titles = [line for line in out.splitlines() if line.startswith(("runs", "banks"))]
    assert titles == ["runs that predict age", "runs that predict score", "banks"]
    runs = [line for line in out.splitlines() if "made-up" in line]
    # Of one target, the lowest RMSE first.
    assert [line.split()[2] for line in runs[1:3]] == ["late", "early"]
    assert "60  made-up.bank" in runs[3]
    assert max(map(len, out.splitlines())) <= 80
    found = json.loads(cli("info", folder, "--json")[1])
    assert [run["name"] for run in found["runs"]] == ["other", "late", "early"]
    assert found["banks"][0]["n_texts"] == 60


def test_what_cannot_be_read_hides_nothing_else(cli: Cli, folder: Path) -> None:
    (folder / "late" / "run.json").write_text("{}")
    (folder / "made-up.bank" / "bank.json").write_text("{")
    code, out, _ = cli("info", folder)
    assert code == 0
    assert "early" in out
    wrong = out[out.index("cannot be read") :]
    assert "late" in wrong
    assert "bank.json" in wrong


def test_names_of_any_length_fit_80_columns(cli: Cli, task: MadeUpTask, tmp_path: Path) -> None:
    experiment = evaluate(task.bank, task.texts, 1e4 * task.y)
    save_run(experiment, tmp_path / ("a-rather-long-name-" * 5 + "x" * 60))
    out = cli("info", tmp_path)[1]
    assert max(map(len, out.splitlines())) <= 80


def test_names_command_no_terminal(cli: Cli, task: MadeUpTask, tmp_path: Path) -> None:
    """What a stranger called a target, a run or an encoder is shown, and never obeyed."""
    evil = "a\x1b[2J\nb\u202e"
    folder = tmp_path / "runs"
    folder.mkdir()
    for name, select in (("one\x1b[31m", "mean[-1]"), ("two", "mean[0]")):
        experiment = evaluate(task.bank, task.texts, task.y, select=select, target_names=[evil])
        experiment.save(folder / name)
    runs = [*folder.iterdir()]
    for command in (["info", folder], ["info", runs[0]], ["compare", *runs]):
        code, out, err = cli(*command)
        assert code == 0, err
        assert "\x1b" not in out + err
        assert "\u202e" not in out
        assert "[2J" in out


@pytest.mark.parametrize("where", ["nothing", "empty", "notes.txt"])
def test_what_is_none_of_them(cli: Cli, tmp_path: Path, where: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    code, out, err = cli("info", tmp_path / where)
    assert (code, out) == (2, "")
    assert where in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("FacebookAI/roberta-base", "FacebookAI/roberta-base"),
        ("roberta-base", "roberta-base"),
        ("./mine/tuned", "tuned"),
        ("/models/mpnet/", "mpnet"),
        ("C:\\models\\mpnet", "mpnet"),
        ("/x/hub/models--a--b/snapshots/0123", "a/b"),
        ("/site-packages/minilm/model", "minilm"),
        ("/model", "model"),
        ("", ""),
    ],
)
def test_what_an_encoder_is_called(path: str, name: str) -> None:
    assert encoder_name(path) == name
