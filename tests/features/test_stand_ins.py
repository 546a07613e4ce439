"""Streams that lack a character: stand-ins in every output, and never a traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from features import Bank
from features.cli import app
from features.console.app import run as run_app
from features.console.app import say_json
from features.console.stand_ins import HANDLER, showable, spare_streams, stand_in
from features.errors import InputError
from features.paths import as_path
from layerbank.cli import app as front_door
from regress import Experiment, evaluate, load_run
from tests.made_up import SETUP, SOURCE, add
from tests.pages import ROOT
from tests.regress.conftest import made_up_task, saved_without_reports

ENCODINGS = ["ascii", "latin-1", "cp1252", "gbk", "koi8-r", "cp037"]

ODD = "± × … ² · ★ █ ▒ ─ é ß ﬁ 中 🦢 e\u0301 ␛ → \udcff"


class Narrow(io.TextIOWrapper):
    """A stdout that shows one encoding and fails at what it lacks."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding, write_through=True)

    @property
    def shown(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


@pytest.fixture(params=ENCODINGS)
def narrowed(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Narrow]:
    """Puts such a stdout in place: in the test itself, since pytest sets its own before each."""

    def put() -> Narrow:
        stream = Narrow(request.param)
        monkeypatch.setattr(sys, "stdout", stream)
        return stream

    return put


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    task = made_up_task(tmp_path_factory.mktemp("task"), 20, name="bänk 中.bank")
    return evaluate(
        task.bank, task.texts, task.y, select=["mean[-1]", "mean[0]", "max[0]"],
        target_names=["größe 中"], ids=[f"ï{i}" for i in range(20)],
    )  # fmt: skip


@pytest.mark.parametrize("encoding", [*ENCODINGS, "utf-8", "utf-16"])
def test_no_character_fails(encoding: str) -> None:
    shown = "".join(map(chr, [*range(0x3000), *range(0xD800, 0xE000), 0x1F9A2])) + ODD
    assert shown.encode(encoding, HANDLER).decode(encoding)


def test_stand_ins_are_readable() -> None:
    assert "".join(map(stand_in, "R² 0.9 ± 0.1…")) == "R2 0.9 +- 0.1..."
    assert "".join(map(stand_in, ODD)) == r"+- x ... 2 . * # = - e ss fi ? ? e ^[ -> \xff"
    assert "größe ±".encode("latin-1", HANDLER).decode("latin-1") == "größe ±"  # which has them


def test_a_command_prints_what_it_has(narrowed: Callable[[], Narrow], tmp_path: Path) -> None:
    add(Bank.create(tmp_path / "größe 中.bank", SETUP, SOURCE), ["a", "b"])
    narrow = narrowed()
    for arguments in (["info", str(tmp_path / "größe 中.bank")], ["info", "--help"]):
        with pytest.raises(SystemExit) as left:
            run_app(app, arguments)
        assert not left.value.code
    assert "encoder      made-up" in narrow.shown
    times = "×" if narrow.encoding in ("gbk", "cp1252", "latin-1", "cp037") else "x"
    assert f"transformer layers) {times} 4" in narrow.shown


def test_a_closed_stream_or_one_that_became_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = Narrow("ascii")
    closed.close()
    reading, writing = os.pipe()
    file = (tmp_path / "out").open("w", encoding="ascii")
    os.dup2(writing, file.fileno())
    os.close(writing)
    monkeypatch.setattr(sys, "stderr", closed)
    monkeypatch.setattr(sys, "stdout", file)
    spare_streams()
    file.write("größe")
    file.close()
    assert os.read(reading, 99) == b"grosse"
    os.close(reading)


def test_errors_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Narrow("ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    for arguments in (["info", str(tmp_path / "größe")], ["info", "--größe"]):
        with pytest.raises(SystemExit) as left:
            run_app(app, arguments)
        assert left.value.code == 2
    assert "grosse is not a bank" in stream.shown
    assert "No such option: --grosse" in stream.shown


def test_an_experiment_is_printed_in_python(
    narrowed: Callable[[], Narrow], experiment: Experiment
) -> None:
    """Without a command that would have seen to the stream."""
    narrow = narrowed()
    banks = experiment.banks
    for shown in (experiment, experiment.best, banks, [*banks.by_name.values()],
                  *experiment.rows("größe 中")):  # fmt: skip
        print(shown)  # noqa: T201
    assert "mean[-1]" in narrow.shown


def test_a_runs_tables_charts_and_explanations(
    narrowed: Callable[[], Narrow], experiment: Experiment, tmp_path: Path
) -> None:
    from regress.report.tables import show_results

    with saved_without_reports():
        run = load_run(experiment.save(tmp_path / "run"))
    table = tmp_path / "new.csv"
    table.write_text("text\n" + "\n".join(f"text {i} of seed 0" for i in range(3)))
    narrow = narrowed()
    print(run, run.models[0])  # noqa: T201
    with pytest.raises(SystemExit) as left:
        run_app(front_door, ["explain", str(run.path), str(table), "-k", "0"])
    assert not left.value.code
    show_results(experiment)
    assert "predicted gr" in narrow.shown
    assert "RMSE by layer and pooling" in narrow.shown


def test_json_means_the_same(narrowed: Callable[[], Narrow]) -> None:
    narrow = narrowed()
    value = {"größe": ["中 🦢 …", "a\\u00e9", "\ud800"]}
    say_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(narrow.shown) == value


def test_utf_8_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Narrow("utf-8"))
    assert showable("± 中") == "± 中"
    say_json('"中"')
    assert sys.stdout.shown == '"中"\n'  # type: ignore[attr-defined]
    monkeypatch.setattr(sys, "stdout", None)
    assert showable("± 中") == "± 中"


@pytest.mark.parametrize(
    "settings",
    [
        {"PYTHONIOENCODING": "gbk"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_whole_command(tmp_path: Path, settings: dict[str, str]) -> None:
    """As the shell calls it: a table, a heat map, a bar on stderr, and a run that is written."""
    task = made_up_task(tmp_path, 20)
    with (tmp_path / "train.csv").open("w", encoding="utf-8") as file:
        file.write("text,größe\n" if settings.get("PYTHONIOENCODING") else "text,y\n")
        file.writelines(f"{text},{y}\n" for text, y in zip(task.texts, task.y, strict=True))
    program = (
        "from regress.runs import drawing\n"
        "drawing.draw_report = lambda *_, **__: None\n"
        "from regress.cli import app\n"
        "from features.console.app import run\n"
        "run(app)\n"
    )
    target = "größe" if settings.get("PYTHONIOENCODING") else "y"
    done = subprocess.run(
        [sys.executable, "-c", program, "regress", "train.csv", "--target", target, "--bank",
         "made-up.bank", "--select", "mean[-1]", "--select", "mean[0]", "--out", "run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"RMSE by layer and pooling" in done.stdout
    assert (tmp_path / "run" / "run.json").is_file()


def test_a_name_that_the_environment_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsencode", lambda name: name.encode("ascii"))
    with pytest.raises(InputError, match="cannot be written in this .* set PYTHONUTF8=1"):
        as_path("größe")
