"""``--skip-missing``: what it leaves out, and says."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from regress import load_run
from tests.regress.conftest import Cli, MadeUpTask

#: Cells that hold nothing.
CELLS = ["", "NA", "nan", " ", "null", "None"]


def with_gaps(table: Path, to: Path) -> None:
    """The table with two targets, of which rows lack one or both, each in a way of its own."""
    frame = pd.read_csv(table, dtype=str, keep_default_na=False)
    for row, cell in enumerate(CELLS):
        frame.loc[row, "score"] = cell
        frame.loc[2 * row, "double"] = cell
    frame.loc[0, "author"] = frame.loc[0, "weight"] = frame.loc[0, "nofold"] = ""
    frame.loc[9, "nofold"] = "1"
    if to.suffix == ".csv":
        frame.to_csv(to, index=False)
        return
    records = frame.to_dict("records")
    for number, row in enumerate(records):
        for name in ("score", "double"):
            missing = str(row[name]).strip() in CELLS
            row[name] = [None, float("nan")][number % 2] if missing else float(row[name])
    del records[4]["score"]
    to.write_text("".join(json.dumps(row) + "\n" for row in records), encoding="utf-8")


@pytest.mark.parametrize("name", ["gaps.csv", "gaps.jsonl"])
def test_the_command_line_says_how_many(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    with_gaps(table, file)
    call = ["regress", file, "--target", "score", "--bank", task.bank.path]
    code, _, err = cli(*call, "--out", tmp_path / "run")
    assert code == 2
    rows = "1, 2, 3, 4, 5, 6"
    assert f"in column 'score' in rows {rows}: mend or drop them, or leave missing ones" in err
    assert "--skip-missing" in err
    several = [*call, "--target", "double", "--id", "id", "--sample-weight", "weight", "--group",
               "author", "--by", "level", "--skip-missing"]  # fmt: skip
    code, out, err = cli(*several, "--out", tmp_path / "run")
    assert code == 0, err
    told = " ".join(out.split())
    assert "3 of 60 rows are left out: they have no target" in told
    assert "score is fitted and scored on the 54 of 57 rows that have it" in told
    run = load_run(tmp_path / "run")
    assert run.description["input"]["skip_missing"] is True
    assert len(run.read_oof()["id"]) == 57
    report = (tmp_path / "run" / "report.json").read_text(encoding="utf-8")
    assert '"level"' in report
    code, _, err = cli("regress", "--from", tmp_path / "run", "--out", tmp_path / "again")
    assert code == 0
    assert "to the last digit" in err
    code, _, err = cli("regress", "--from", tmp_path / "run", "--skip-missing", "--out", "x")
    assert code == 2
    assert "drop --skip-missing" in err
    code, _, err = cli(
        "blend", tmp_path / "run", tmp_path / "again", "--out", tmp_path / "blend", "-q"
    )
    assert code == 0, err
    blended = load_run(tmp_path / "blend")
    neighbours = blended.explain([task.texts[1]], task.bank, n_neighbours=2)
    assert {item.target: item.trained_on for item in neighbours}["score"] is None
    assert not {near.id for item in neighbours for near in item.neighbours} & {"000", "002", "004"}
