"""``predict`` where nothing can encode, and where something can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from features import Bank
from features.console.app import new_app
from features.console.app import run as run_app
from features.filling import Encode
from regress import evaluate
from regress.commands.predict import predict_command_with
from tests.made_up import SETUP, SOURCE, add
from tests.regress.conftest import Cli, MadeUpTask

pytestmark = pytest.mark.usefixtures("without_reports")


@pytest.fixture
def saved(task: MadeUpTask, tmp_path: Path) -> Path:
    """A run of ridge on one layer."""
    return evaluate(task.bank, task.texts, task.y).save(tmp_path / "run")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A file with one text that no bank has."""
    path = tmp_path / "new.csv"
    path.write_text("text\nnever seen\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--encoder", "roberta-base"), ("--encoder-weights", "w.bin"), ("--scratch", "s.bank"),
        ("--device", "cpu"),
    ],
)  # fmt: skip
def test_stage_2_alone_refuses_options_of_encoding(
    cli: Cli, saved: Path, new: Path, option: str, value: str
) -> None:
    code, out, err = cli("predict", saved, new, option, value, "--out", new.with_name("p.csv"))
    assert (code, out) == (2, "")
    assert f"{option} is for encoding, which stage 2 alone cannot do" in err


def test_stage_2_alone_names_what_the_bank_lacks(cli: Cli, saved: Path, new: Path) -> None:
    code, _, err = cli("predict", saved, new, "--out", new.with_name("p.csv"))
    assert code == 2
    assert f"lacks 1 of the texts, first at row 1: add them with `layerbank extract {new}" in err


def test_with_stage_1_banks_are_told_by_what_they_were_made_with(
    capsys: pytest.CaptureFixture[str],
    task: MadeUpTask,
    make_task: Callable[..., MadeUpTask],
    saved: Path,
    new: Path,
) -> None:
    def encode_with(*_: object) -> Encode:
        def encode(texts: Sequence[object], into: Path, recorded: Mapping[str, Any]) -> None:
            raise AssertionError("nothing is to be encoded")

        return encode

    app = new_app("predict")
    app.command()(predict_command_with(encode_with))
    bank, other = task.bank.path, make_task(10, hidden=4, name="other.bank").bank.path
    arguments = [str(saved), str(new), "--out", "p.csv", "--bank", str(bank), "--bank", str(other)]
    with pytest.raises(SystemExit) as caught:
        run_app(app, arguments)
    assert caught.value.code == 2
    assert f"was fitted on none like the bank {other}" in capsys.readouterr().err


def test_three_text_columns_are_read_as_one_text_each(cli: Cli, tmp_path: Path) -> None:
    """Scored and predicted, in the order in which the columns are named."""
    texts = [(f"anchor {i}", f"target {i % 5}", "context") for i in range(40)]
    bank = Bank.create(tmp_path / "three.bank", SETUP, SOURCE)
    add(bank, texts)
    table = tmp_path / "three.csv"
    rows = [f"{a},{b},{c},{i % 7}" for i, (a, b, c) in enumerate(texts)]
    table.write_text("\n".join(["a,b,c,y", *rows]) + "\n", encoding="utf-8")
    columns = ["--text", "a", "--text", "b", "--text", "c"]
    run = tmp_path / "run"
    asked = ["--target", "y", "--bank", bank.path, "--select", "mean[-1]", "--out", run]
    assert cli("regress", table, *columns, *asked)[0] == 0
    assert cli("predict", run, table, *columns, "--out", tmp_path / "p.csv")[0] == 0
    assert (tmp_path / "p.csv").read_text(encoding="utf-8").count("\n") == 41
    swapped = ["--text", "b", "--text", "a", "--text", "c"]
    code, _, err = cli("predict", run, table, *swapped, "--out", tmp_path / "q.csv")
    assert code == 2
    assert "lacks 40 of the texts" in err
