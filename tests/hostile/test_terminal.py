"""Names that command a terminal: what is printed holds no escape, and errors are one line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from rich.text import Text

from features import Bank
from features.cli import app
from features.console.app import on_stdout, run, say
from features.console.show import harmless
from tests.made_up import SETUP, SOURCE

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
