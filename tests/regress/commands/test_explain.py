"""``layerbank explain``: as text, JSON and a page, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features import Bank
from features.console.app import new_app
from features.errors import InputError, LayerbankError
from features.keys import Text
from regress.commands.explain import explain_command_with
from tests.regress.conftest import MadeUpTask, fill
from tests.regress.explain.saved import save

pytestmark = pytest.mark.usefixtures("without_reports")


def refuse(texts: Sequence[Text], into: Path, recorded: Mapping[str, Any]) -> None:
    raise InputError(f"{len(texts)} texts would have been encoded")


def test_the_command(make_task: Callable[..., MadeUpTask], tmp_path: Path) -> None:
    task = make_task()
    run = save(task, tmp_path / "run", models=["ridge"])
    app = new_app("explain")
    app.command()(explain_command_with(lambda *_: refuse))

    def call(*arguments: object) -> Any:
        return CliRunner().invoke(app, [str(run.path), *map(str, arguments)])

    table = tmp_path / "run.csv"
    plain = call(table, "--id", "id", "--only", "007", "-k", 2)
    assert plain.exit_code == 0, plain.output
    assert "id 007: predicted target " in plain.stdout
    known = call(table, "--only", "007", "-k", 2).stdout  # the run knows the column of ids
    assert "id 007: predicted target " in known
    assert "similarity      target  id   training text" in known
    assert "\x1b" not in plain.stdout
    assert plain.stdout.count("seed 0") == 3
    answer = json.loads(call(table, "--json", "--only", "001", "--only", "009").stdout)
    assert [one["id"] for one in answer["explanations"]] == ["001", "009"]
    first = answer["explanations"][0]
    assert first["base"] + sum(first["blocks"].values()) == pytest.approx(first["prediction"])
    (tmp_path / "new.csv").write_text("text\nunknown\n")
    page = tmp_path / "page.html"
    assert call(table, "--html", page, "--only", "003").exit_code == 0
    assert "default-src 'none'" in page.read_text(encoding="utf-8")
    assert ">003: predicted target " in page.read_text(encoding="utf-8")
    few = Bank.create(tmp_path / "few.bank", task.bank.setup, task.bank.source)
    fill(few, task.texts[:3], task.bank.matrix(task.texts[:3], "*[:]").reshape(3, -1, 6))
    for arguments, message in (
        ((table, "--html", page), "exists: give another --html"),
        ((table, "--bank", tmp_path / "fww.bank"), "name one that is there, or have new texts"),
        ((tmp_path / "new.csv", "--bank", few.path), "lacks 87 of the training texts"),
        ((table, "--html", page, "--json", "--force"), "one of them"),
        ((table, "--force"), "--html"),
        ((table, "--only", "ninety"), "no id 'ninety'"),
        ((table, "-k", -1), "from 0 on"),
        ((tmp_path / "new.csv", "--train", "x.csv"), "--train"),
        ((table, "--model", "svr"), "no model 'svr'"),
    ):
        error = call(*arguments).exception
        assert isinstance(error, LayerbankError)
        assert message in str(error)
    assert not (tmp_path / "fww.bank").exists()
    for also in ((), ("--bank", few.path, "-k", 0)):
        error = call(tmp_path / "new.csv", *also).exception
        assert str(error) == "1 texts would have been encoded"
    # What is to be encoded is not missing.
    error = call(table, "--bank", few.path).exception
    assert str(error) == "87 texts would have been encoded"
