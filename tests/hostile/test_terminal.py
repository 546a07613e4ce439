"""Names that command a terminal: what is printed holds no escape, and errors are one line."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text

from features import Bank
from features.cli import app
from features.console.app import on_stdout, run, say
from features.console.show import harmless
from tests.made_up import SETUP, SOURCE
from tests.pages import ROOT

EVIL = "a\x1b]0;title\x07\x1b[2J\r\x9b31m\u202eb"


def commands(shown: str) -> set[str]:
    """What is left in a text that a terminal obeys."""
    return {c for c in shown if c not in "\n\t" and harmless(c) != c}


def test_each_character_becomes_one() -> None:
    shown = harmless(EVIL)
    assert len(shown) == len(EVIL)
    assert not commands(shown)
    for text in ("", "naïve  café\t\n", "日本語 🎉", "e\u0301"):
        assert harmless(text) == text


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    say(EVIL)
    say(EVIL, err=True)
    on_stdout(Text(EVIL, "bold"))
    printed = capsys.readouterr()
    assert not commands(printed.out + printed.err)
    assert printed.out.count("a␛]0;title") == 2


@pytest.mark.parametrize("name", [EVIL, "two\nlines", "\x1b[31m" + "n" * 200])
@pytest.mark.parametrize("command", ["info", "verify", "compact"])
def test_a_folder_of_such_a_name(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Bank.create(tmp_path / name, SETUP, SOURCE)
    for folder in (tmp_path / name, tmp_path / name / "none"):
        with pytest.raises(SystemExit):
            run(app, [command, str(folder)])
        printed = capsys.readouterr()
        assert not commands(printed.out + printed.err)
        assert "two\n" not in printed.out + printed.err
    assert printed.err.count("\n") == 1


def test_what_is_noted_on_the_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with pytest.raises(SystemExit):
        run(app, ["info", "nowhere"])
    logging.getLogger("features").warning("%s is odd", EVIL)
    assert not commands(capsys.readouterr().err)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_files_of_a_bank(closed: str, tmp_path: Path) -> None:
    """Nothing fails, and no number of a closed stream is left for a file that is opened later."""
    Bank.create(tmp_path / "a.bank", SETUP, SOURCE)
    code = (
        "import os, sys\n"
        "from features.cli import app\n"
        "from features.console.app import run\n"
        "try:\n"
        "    run(app, ['info', 'a.bank'])\n"
        "except SystemExit as left:\n"
        "    assert not left.code\n"
        "os._exit(os.open('a.bank/bank.json', os.O_RDONLY) < 3)\n"
    )
    (tmp_path / "program.py").write_text(code)
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} program.py {closed}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0
