"""Progress as a pipe and a notebook show it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from features.console import progress
from features.console.progress import LineBar, progress_bar

#: Work that updates its bar hundreds of times, some from threads, as sweeps do.
CELL = """
import threading, time
from features.console import progress
progress.CHANGE_EVERY = 0.01
with progress.progress_bar(total=400, desc="fits", leave=False, unit="fit") as bar:
    for step in range(20):
        bar.set_postfix_str(f"mean[{step}]")
        threads = [threading.Thread(target=bar.update, args=(5,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(0.02)
"done"
"""


def worked(bar: Any, steps: int = 90) -> None:
    with bar:
        for step in range(steps):
            bar.set_postfix_str(f"mean[{step}]")
            bar.update()


@pytest.mark.parametrize("leave", [True, False])
def test_a_pipe_gets_a_line_or_nothing_for_quick_work(leave: bool) -> None:
    file = io.StringIO()
    worked(progress_bar(total=90, desc="fits", file=file, leave=leave))
    assert file.getvalue().count("\n") == leave
    assert ("90/90" in file.getvalue()) is leave


def test_work_that_did_nothing_leaves_no_line() -> None:
    file = io.StringIO()
    worked(progress_bar(total=90, desc="fits", file=file), steps=0)
    assert file.getvalue() == ""


def test_a_pipe_gets_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now, file = [0.0], io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    bar = progress_bar(total=90, desc="fits", file=file, leave=False, mininterval=0)
    assert isinstance(bar, LineBar)
    with bar:
        for step in range(90):
            now[0] += 4.0
            bar.set_postfix_str(f"mean[{step}]")
            bar.update()
    lines = file.getvalue().splitlines()
    assert len(lines) == 90 * 4 // 60  # in six minutes
    assert "1/90" in lines[0]
    assert "mean[0]" in lines[0]
    assert "\r" not in file.getvalue()


def test_nothing_is_shown_of_what_is_disabled() -> None:
    file = io.StringIO()
    worked(progress_bar(total=90, disable=True, file=file))
    assert file.getvalue() == ""


def test_a_program_without_stderr_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    worked(progress_bar(total=90, desc="fits"))


def test_a_terminal_gets_tqdms_own_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(file, "isatty", lambda: True)
    worked(progress_bar(total=90, desc="fits", file=file, mininterval=0))
    assert file.getvalue().count("\r") > 80


def test_a_bar_is_reset_as_tqdms_is() -> None:
    file = io.StringIO()
    bar = progress_bar(total=None, desc="extract", file=file)
    bar.update(3)
    bar.reset()
    bar.total = 10
    bar.update(4)
    assert (bar.n, bar.total) == (4, 10)
    bar.close()
    bar.close()


@pytest.mark.filterwarnings("ignore")  # what nbclient and zmq say of event loops
def test_a_saved_notebook_holds_one_line_of_it(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    shown, value = notebook.cells[0].outputs
    assert (shown.output_type, value.output_type) == ("display_data", "execute_result")
    assert shown.data["text/plain"].startswith("fits, 00:0")
    assert "%" not in shown.data["text/plain"]
