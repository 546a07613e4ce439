"""A mistyped bank, run or file is offered what is near; a closed place is named before any work."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from extract import extract
from features.console.app import run as run_app
from features.disk.atomic import make_folder
from features.errors import CommitError, LayerbankError, NotABank
from features.paths import hint, near_path
from layerbank.cli import app
from regress import evaluate, load_run
from regress.sweep import sweep
from tests.regress.conftest import MadeUpTask, made_up_task, saved_without_reports

Says = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as people have them: a bank in a folder, runs, a table, a file."""
    folder = tmp_path_factory.mktemp("project")
    task = made_up_task(folder / "banks", 20, name="roberta-base.bank")
    with saved_without_reports():
        evaluate(task.bank, task.texts, task.y).save(folder / "run-ridge")
    lines = [f"{text},{y}\n" for text, y in zip(task.texts, task.y, strict=True)]
    (folder / "train.csv").write_text("text,score\n" + "".join(lines))
    (folder / "notes.md").touch()
    (folder / "file").touch()
    return folder


@pytest.fixture
def task(folder: Path) -> MadeUpTask:
    return made_up_task(folder / "banks", 20, name="roberta-base.bank")


@pytest.fixture
def says(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Says:
    """Calls a command in that folder, and gives the one sentence that it fails with."""
    monkeypatch.chdir(folder)

    def call(*arguments: str) -> str:
        with pytest.raises(SystemExit) as left:
            run_app(app, [*arguments])
        said = capsys.readouterr()
        assert left.value.code == 2
        assert not said.out
        assert said.err.count("\n") == 1
        return said.err

    return call


BANK = "banks/roberta-bsae.bank"


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", BANK],
        ["verify", BANK],
        ["compact", BANK],
        ["merge", BANK, "--into", "new"],
        ["export", BANK, "--select", "mean[0]", "--rows", "train.csv", "--out", "x.npy"],
        ["regress", "train.csv", "--target", "score", "--bank", BANK, "--out", "new"],
        ["sweep", "train.csv", "--target", "score", "--bank", BANK, "--out", "new"],
        ["predict", "run-ridge", "train.csv", "--bank", BANK, "--out", "new.csv"],
        ["explain", "run-ridge", "train.csv", "--bank", BANK, "-k", "0"],
    ],
)
def test_a_bank(says: Says, arguments: list[str]) -> None:
    assert "did you mean 'roberta-base.bank'?" in says(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "run-rigde"],
        ["predict", "run-rigde", "train.csv", "--out", "new.csv"],
        ["explain", "run-rigde", "train.csv"],
        ["blend", "run-rigde", "--out", "new"],
        ["regress", "--from", "run-rigde", "--out", "new"],
        ["sweep", "--from", "run-rigde", "--out", "new"],
    ],
)
def test_a_run(says: Says, arguments: list[str]) -> None:
    assert "there is no run folder" in (said := says(*arguments))
    assert "(did you mean 'run-ridge'?)" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["regress", "tarin.csv", "--target", "score", "--bank", "b", "--out", "new"],
        ["predict", "run-ridge", "tarin.csv", "--out", "new.csv"],
        ["extract", "Train.csv", "--bank", "new"],
        ["export", "banks/roberta-base.bank", "--select", "mean[0]", "--rows", "train.tsv",
         "--out", "x.npy"],
    ],
)  # fmt: skip
def test_an_input(says: Says, arguments: list[str]) -> None:
    assert "does not exist (did you mean 'train.csv'?)" in says(*arguments)


def test_near_names(folder: Path) -> None:
    def near(name: str, wanted: Callable[[Path], bool] = Path.is_file) -> str:
        return near_path(folder / name, wanted)

    assert near("trian.csv") == "did you mean 'train.csv'?"
    assert near("TRAIN") == "did you mean 'train.csv'?"
    assert hint(folder / "trian.csv", Path.is_file) == " (did you mean 'train.csv'?)"
    bank = folder / "banks" / "roberta-base.bank"
    assert near("bnks/roberta-base.bank", Path.is_dir) == f"did you mean {str(bank)!r}?"
    assert near("banks/roberta-base", Path.is_dir) == "did you mean 'roberta-base.bank'?"
    # Nothing near, nothing of the kind, nowhere, and where nothing can be looked at.
    assert near("something-else.csv") == ""
    assert near("run-rigde") == ""
    assert near("a/b/c/d") == near_path(Path("/"), Path.is_file) == near("a\0b") == ""
    assert near("file/train.csv") == ""
    assert hint(folder / "zzz", Path.is_file) == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["extract", "train.csv", "--bank", "file/new.bank"],
        ["regress", "train.csv", "--target", "score", "--bank", "banks/roberta-base.bank",
         "--out", "file/run"],
        ["sweep", "train.csv", "--target", "score", "--bank", "banks/roberta-base.bank",
         "--out", "file/run"],
        ["blend", "run-ridge", "--out", "file/run"],
        ["export", "banks/roberta-base.bank", "--select", "mean[0]", "--rows", "train.csv",
         "--out", "file/x.npy"],
        ["predict", "run-ridge", "train.csv", "--out", "file/x.csv"],
        ["explain", "run-ridge", "train.csv", "--html", "file/x.html"],
        ["merge", "banks/roberta-base.bank", "--into", "file/new.bank"],
        ["demo", "--out", "file/demo"],
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_made(says: Says, arguments: list[str]) -> None:
    said = says(*arguments)
    assert "file" in said
    assert "elsewhere" in said or "give another --" in said
    assert "make room" not in said
    assert "Errno" not in said


def test_the_same_in_python(folder: Path, task: MadeUpTask, tiny_roberta: Path) -> None:
    with pytest.raises(CommitError, match="cannot be made .*: write elsewhere"):
        sweep(task.bank, task.texts, task.y, cache=folder / "file" / "parts")
    with pytest.raises(LayerbankError, match=r"cannot be written to: give another path"):
        evaluate(task.bank, task.texts, task.y).save(folder / "file" / "run")
    with pytest.raises(NotABank, match="cannot be made, or not be written to"):
        extract(["a"], folder / "file" / "new.bank", encoder=tiny_roberta)
    with pytest.raises(CommitError, match=r"the folder .*file/x cannot be made \(Not a directory"):
        make_folder(folder / "file" / "x")
    with pytest.raises(LayerbankError, match="did you mean 'run-ridge'"):
        load_run(folder / "run-ridgee")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to(folder: Path, task: MadeUpTask) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o500, exist_ok=True)
    with pytest.raises(LayerbankError, match="cannot be written to: give another path"):
        evaluate(task.bank, task.texts, task.y).save(closed / "run")
