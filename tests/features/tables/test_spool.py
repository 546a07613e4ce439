"""Standard input and pipes: kept, so that they are read twice like files."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from features.errors import InputError
from features.tables import spool
from features.tables.table import open_table, read_texts


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    spool._kept.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(request.param)))
    yield
    spool._kept.cache_clear()


@pytest.mark.parametrize("stdin", [b"text\none\ntwo\n"], indirect=True)
@pytest.mark.parametrize("path", ["-", "/dev/stdin", Path("-")])
def test_standard_input_is_a_table(stdin: None, path: str | Path) -> None:
    table = open_table(path, format="csv")
    assert table.spooled
    assert table.name == "standard input"
    assert list(read_texts(table)) == list(read_texts(table)) == ["one", "two"]
    assert list(read_texts(open_table(path, format="csv"))) == ["one", "two"]


@pytest.mark.parametrize("stdin", [b"words\none\n"], indirect=True)
def test_standard_input_in_messages(stdin: None) -> None:
    with pytest.raises(InputError, match=r"standard input has no ending: .* --format \(csv"):
        open_table("-")
    with pytest.raises(InputError, match="standard input has no column 'text'"):
        list(read_texts(open_table("-", format="csv"), ["text"]))


def test_a_named_pipe(tmp_path: Path) -> None:
    """As ``<(zcat x.csv.gz)`` is, too."""
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("text\none\n",))
    writer.start()
    table = open_table(pipe, format="csv")
    assert list(read_texts(table)) == list(read_texts(table)) == ["one"]
    writer.join()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    program = (
        "from features.tables.table import open_table, read_texts\n"
        "print(list(read_texts(open_table('-', format='txt'))))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        input="one\ntwo\n",
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert result.stdout == "['one', 'two']\n"
    assert not list(tmp_path.iterdir())


def test_a_terminal_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    spool._kept.cache_clear()
    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(InputError, match="standard input is a terminal: pipe a file"):
        open_table("-", format="csv")
