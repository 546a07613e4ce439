"""JSON of every shape: columns of all records, and one meaning of missing."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.tables import json_tables
from features.tables.cells import Strings, finite_number
from features.tables.table import open_table, read_dataset, read_texts


def jsonl(path: Path, *records: dict) -> Path:
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def test_a_column_is_judged_by_all_records(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", {"id": 1}, {"id": 2, "text": "b", "y": 2})
    with pytest.raises(InputError, match="empty or missing text in row 1"):
        read_dataset(open_table(path), target=[])
    dataset = read_dataset(open_table(path), target=["y"], skip_empty=True)
    assert (dataset.texts, dataset.targets.tolist()) == (["b"], [[2.0]])
    with pytest.raises(InputError, match="no column 'z'.* its columns are id, text, y"):
        open_table(path).require("z")


@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_a_column_may_come_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(json_tables, "FIRST", 3)
    records = [{"id": i} for i in range(10)] + [{"id": 10, "text": "late"}]
    path = tmp_path / f"a.{ending}"
    lines = map(json.dumps, records)
    path.write_text("\n".join(lines) if ending == "jsonl" else json.dumps(records))
    table = open_table(path)
    assert table.columns == ["id"]
    assert list(read_texts(table, skip_empty=True)) == ["late"]


MISSING = [None, float("nan"), "", "absent"]


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "parquet", "arrow", "xlsx"])
def test_missing_is_missing_in_every_format(tmp_path: Path, ending: str) -> None:
    """NaN, null, absent and empty: of a text, an id, a group and a target."""
    path = tmp_path / f"a.{ending}"
    records: list[dict] = [{"text": "a", "g": "x", "y": 1.0}]
    for value in MISSING[: 4 if "json" in ending else 3]:
        record = dict.fromkeys(("text", "g", "y"), value)
        records.append({} if value == "absent" else record)
    frame = pd.DataFrame({name: [record.get(name) for record in records] for name in records[0]})
    frame["z"] = 0
    if ending == "jsonl":
        jsonl(path, *records)
    elif ending == "json":
        path.write_text(json.dumps(records))
    elif ending in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="," if ending == "csv" else "\t")
    elif ending == "xlsx":
        pytest.importorskip("openpyxl")
        frame.to_excel(path, index=False)
    else:
        arrow = pa.table(
            {
                "text": pa.array(["a", None, None, ""]),
                "g": pa.array(["x", None, None, ""]),
                "y": pa.array([1.0, None, float("nan"), float("nan")]),
            }
        )
        if ending == "parquet":
            pq.write_table(arrow, path)
        else:
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, arrow.schema) as out:
                out.write_table(arrow)
    rows = ", ".join(map(str, range(2, len(records) + 1)))
    with pytest.raises(InputError, match=f"empty or missing text in rows {rows}:"):
        read_dataset(open_table(path))
    dataset = read_dataset(open_table(path), skip_empty=True, extra=["g"])
    assert (dataset.texts, dataset.extra["g"]) == (["a"], ["x"])
    strings = Strings("t", ["g"], ["g"])
    for row, cells in open_table(path).rows(["g", "y"]):
        strings.add(row, cells[:1])
        assert np.isnan(finite_number(cells[1])) == (row > 1)
    with pytest.raises(InputError, match=f"no value in column 'g' in rows {rows}"):
        strings.faults[0].raise_if_any()


def test_float_nan_in_a_parquet_column_of_texts(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([np.nan, np.nan])}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="empty or missing text in rows 1, 2"):
        list(read_texts(open_table(tmp_path / "a.parquet")))


FRAME = pd.DataFrame({"text": ["a", 'b "c"', "é\n"], "y": [1.5, 2.0, 3.0]})


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("orient", ["records", "split", "columns", "index", "table", "list"])
def test_what_pandas_writes_is_read_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, orient: str, indent: int | None
) -> None:
    caplog.set_level(logging.INFO, "features")
    path = tmp_path / "a.json"
    if orient == "list":
        path.write_text(json.dumps(FRAME.to_dict("list"), indent=indent))
    else:
        FRAME.to_json(path, orient=orient, indent=indent)
    dataset = read_dataset(open_table(path), target=["y"])
    assert dataset.texts == FRAME["text"].tolist()
    assert dataset.targets[:, 0].tolist() == [1.5, 2.0, 3.0]
    assert ("columns of one table" in caplog.text) is (orient != "records")


def test_json_lines_by_the_name_of_json(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "features")
    for ending, n in (("json", 2), ("json", 1), ("ndjson", 2)):
        path = tmp_path / f"a.{ending}"
        FRAME[:n].to_json(path, orient="records", lines=True)
        assert list(read_texts(open_table(path))) == FRAME["text"].tolist()[:n]
    assert "read as one JSON object a line" in caplog.text


@pytest.mark.parametrize("size", [1, 7, 64])
def test_an_array_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(json_tables, "_PIECE", size)
    records = [
        {"text": f'{"é]}, {[" * i} \\ " {i}', "y": i, "deep": [{"a": [1]}]} for i in range(20)
    ]
    for indent in (None, 1):
        path = tmp_path / "a.json"
        path.write_text(f" \n{json.dumps(records, indent=indent)}\n ", encoding="utf-8")
        assert list(read_texts(open_table(path))) == [record["text"] for record in records]
        assert read_dataset(open_table(path), target=["y"]).targets[:, 0].tolist() == [*range(20)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty: it needs an array of objects"),
        ("[]", "is empty: it needs an array of objects"),
        ("3", "holds no array"),
        ('["a", "b"]', "holds no object in object 1 of its array"),
        ('[{"text": "a"}, 5]', "holds no object in object 2"),
        ('[{"text": "a"} {"text": "b"}]', "no comma after object 1"),
        ('[{"text": "a"}', "no comma after object 1, or ends there"),
        ('[{"text": "a"}, {"text": ', "holds no JSON in object 2"),
        ('[{"text": "a"}] x', "holds more than its array"),
        ('[{"text": "a", "text": "b"}]', "has the name 'text' twice in object 1"),
        ('[{"text": ' + "[" * 100_000, "too deep to be read in object 1"),
        ('{"text": "a", "text": "b"}', "has the name 'text' twice"),
        ('{"text": ["a", "b"], "y": [1]}', "has list .* for a text in row 1"),
    ],
)
def test_bad_json(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=message):
        list(read_texts(open_table(tmp_path / "a.json")))


def test_a_name_twice_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "a", "y": 1, "y": 2}\n')
    with pytest.raises(InputError, match="has the name 'y' twice in line 2"):
        open_table(tmp_path / "a.jsonl")
