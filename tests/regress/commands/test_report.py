"""``report``: the page drawn again, and opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from regress import evaluate
from tests.regress.conftest import Cli, MadeUpTask, saved_without_reports


def test_the_page_is_opened(
    cli: Cli, task: MadeUpTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one thing that a test machine has not is a desktop: who is asked to open is watched."""
    with saved_without_reports():
        run = evaluate(task.bank, task.texts, task.y).save(tmp_path / "my run")
    opened: list[str] = []
    there = [True]
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or there[0])
    code, _, err = cli("report", run, "--open")
    assert (code, err) == (0, "")
    assert (run / "report.html").is_file()
    assert opened == [(run / "report.html").as_uri()]
    there[0] = False
    code, _, err = cli("report", run, "--open")
    assert code == 0
    assert "no browser was found here" in err
