"""Results in a terminal: coloured there, plain on a pipe."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.regress.conftest import MadeUpTask
from tests.typed import Reader

ESCAPE = "\x1b["


@pytest.fixture
def command(make_task: Callable[..., MadeUpTask], tmp_path: Path) -> list[str]:
    """What somebody types, with ``regress`` as its second word."""
    task = make_task(60)
    lines = ["text,score", *(f"{t},{y}" for t, y in zip(task.texts, task.y, strict=True))]
    (tmp_path / "train.csv").write_text("\n".join(lines), encoding="utf-8")
    return [
        "layerbank", "regress", str(tmp_path / "train.csv"),
        "--target", "score", "--bank", str(task.bank.path), "--out", str(tmp_path / "run"),
        "--select", "mean[0]", "--select", "mean[1]", "--select", "cls[2]",
    ]  # fmt: skip


def on_a_terminal(reader: Reader, command: list[str], **variables: str) -> str:
    """What a command writes to a terminal of 256 colours."""
    controller, terminal = pty.openpty()
    plain = ("NO_COLOR", "FORCE_COLOR")
    environment = {k: v for k, v in reader.environment.items() if k not in plain}
    environment |= {"TERM": "xterm-256color", **variables}
    with subprocess.Popen(
        ["/usr/bin/env", *command], stdout=terminal, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        os.close(terminal)
        written = b""
        while True:
            try:
                part = os.read(controller, 65536)
            except OSError:  # Linux reports the other end's closing this way
                break
            if not part:
                break
            written += part
        os.close(controller)
    assert process.returncode == 0
    return written.decode()


def test_colours_on_a_terminal(reader: Reader, command: list[str]) -> None:
    shown = on_a_terminal(reader, command)
    assert f"{ESCAPE}1;32m" in shown
    assert "48;5;" in shown
    assert "★" in shown
    assert "RMSE by layer and pooling: ridge" in shown


def test_no_colour_where_it_is_not_wanted(reader: Reader, command: list[str]) -> None:
    shown = on_a_terminal(reader, command, NO_COLOR="1")
    assert "48;5;" not in shown
    assert "32m" not in shown
    assert "★" in shown


def test_plain_text_on_a_pipe(reader: Reader, command: list[str], tmp_path: Path) -> None:
    piped = reader.types(shlex.join(command), tmp_path)
    assert piped.returncode == 0, piped.stderr
    assert ESCAPE not in piped.stdout
    lines = piped.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("RMSE by layer"))
    assert lines[at + 1].split() == ["layer", "cls", "mean"]
    assert [line.split()[0] for line in lines[at + 2 : at + 5]] == ["2", "1", "0"]
    quiet = reader.types(shlex.join([*command, "-q", "--force"]), tmp_path)
    assert "RMSE by layer" not in quiet.stdout
    assert quiet.stdout.splitlines()[2].split() == ["RMSE", "±", "se", "R²", "result"]
    assert max(map(len, piped.stdout.splitlines()[2:])) <= 80
    assert quiet.stderr == ""


def test_a_sweeps_leaderboard_is_coloured_too(reader: Reader, command: list[str]) -> None:
    at = command.index("--select")
    sweep = ["layerbank", "sweep", *command[2:at], "--model", "ridge", "--no-greedy"]
    shown = on_a_terminal(reader, sweep)
    best = next(line for line in shown.splitlines() if "★" in line)
    assert best.startswith(f"{ESCAPE}1")
    assert "32m" in best
