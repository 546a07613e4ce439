"""Files that are read in ways of their own: said, recorded, and repeated by ``--from``."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from features.errors import InputError
from features.tables import spool
from regress import load_run
from regress.data.source import Source
from tests.regress.conftest import Cli, MadeUpTask

pytestmark = pytest.mark.usefixtures("without_reports")


def of(task: MadeUpTask, out: Path, *more: object) -> list[object]:
    return [
        "--target",
        "score",
        "--bank",
        task.bank.path,
        "--select",
        "mean[1]",
        "--out",
        out,
        *more,
    ]


def test_a_run_repeats_how_its_file_was_read(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    assert cli("regress", table, *of(task, plain, "--sample-weight", "weight"))[0] == 0
    frame = pd.read_csv(table, dtype=str)
    frame["score"] = frame["score"].str.replace(".", ",")
    frame["weight"] += ",0"
    frame.to_csv(tmp_path / "odd.txt", sep="^", index=False, quotechar="'", quoting=1)
    run = tmp_path / "run"
    how = ["--format", "csv", "--delimiter", "^", "--quoting", "single", "--decimal", "comma"]
    code, _, err = cli(
        "regress", tmp_path / "odd.txt", *of(task, run, "--sample-weight", "weight"), *how
    )
    assert code == 0, err
    recorded = load_run(run).description["input"]
    assert [recorded[name[2:]] for name in how[::2]] == how[1::2]
    assert (plain / "oof.csv").read_bytes() == (run / "oof.csv").read_bytes()
    code, _, err = cli("regress", "--from", run, "--out", tmp_path / "again")
    assert (code, "to the last digit" in err) == (0, True)
    code, _, err = cli("regress", "--from", run, "--out", tmp_path / "other", *how[2:4])
    assert (code, "drop --delimiter" in err) == (2, True)


def test_what_was_taken_is_said_unless_quiet(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "train-de.csv"
    pd.read_csv(table).to_csv(file, sep=";", decimal=",", index=False)
    code, _, err = cli("regress", file, *of(task, tmp_path / "run"))
    assert code == 0, err
    assert f"{file}: semicolon-separated\n" in caplog.text
    assert "in column 'score' is " in caplog.text
    caplog.clear()
    code, _, err = cli("regress", file, *of(task, tmp_path / "quiet", "--quiet"))
    assert (code, err, caplog.text) == (0, "", "")


def test_standard_input_is_read_once(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool._kept.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(table.read_bytes())))
    run = tmp_path / "run"
    code, _, err = cli("regress", "-", "--format", "csv", *of(task, run))
    spool._kept.cache_clear()
    assert code == 0, err
    recorded = json.loads((run / "run.json").read_text("utf-8"))["input"]
    assert (recorded["path"], recorded["spooled"]) == ("-", True)
    code, _, err = cli("regress", "--from", run, "--out", tmp_path / "again")
    assert (code, "cannot be read a second time: keep" in err) == (2, True)
    code, _, err = cli("regress", table, "--from", run, "--out", tmp_path / "again")
    assert (code, "to the last digit" in err) == (0, True)


def test_a_source_reads_as_it_was_recorded(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("0,5^one\n1,5^two\n")
    given = Source(str(file), ["c1"], ["c2"], no_header=True, delimiter="^")
    source, dataset = given.read()
    assert (dataset.texts, dataset.targets[:, 0].tolist()) == (["one", "two"], [0.5, 1.5])
    again, repeated = Source.recorded(json.loads(json.dumps(vars(source)))).read()
    assert (again.delimiter, repeated.texts) == ("^", dataset.texts)
    assert source.reading.words() == ["--delimiter", "^", "--no-header"]
    with pytest.raises(InputError, match="cannot be read a second time"):
        Source.recorded({**vars(source), "spooled": True}).read()
