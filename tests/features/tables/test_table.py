"""Input files: verbatim in, and one clear sentence for what is wrong with them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import InputError
from features.tables.table import open_table, read_dataset, read_texts

WEIRD = ["NA", "nan", " spaced ", "line\nbreak", 'a "quoted" word', "<pad>", "é🙂", "a\r\nb", "1"]
IDS = ["007", "NA", "1.0", "x", "5", "6", "-0", "1e5", "True"]


def write(path: Path, frame: pd.DataFrame) -> Path:
    match path.suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".tsv":
            frame.to_csv(path, index=False, sep="\t")
        case ".jsonl":
            path.write_text("\n".join(json.dumps(row) for row in frame.to_dict("records")))
        case ".parquet":
            frame.to_parquet(path)
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_texts_and_ids_are_verbatim(tmp_path: Path, ending: str) -> None:
    frame = pd.DataFrame({"id": IDS, "text": WEIRD, "y": [float(i) for i in range(9)]})
    table = open_table(write(tmp_path / f"data.{ending}", frame))
    dataset = read_dataset(table, target=["y"], id="id", group="id")
    assert dataset.texts == WEIRD
    assert dataset.ids == dataset.groups == IDS
    assert dataset.targets[:, 0].tolist() == frame["y"].tolist()
    assert list(read_texts(table, ["id", "text"])) == list(zip(IDS, WEIRD, strict=True))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_any_text_survives_csv(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("text,n\n")
        for text in texts:
            file.write('"' + text.replace('"', '""') + '",1\n')
    assert list(read_texts(open_table(path))) == texts


def test_plain_text_is_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(b"first\r\n  second \nthird\x0bstill third")
    assert list(read_texts(open_table(path))) == ["first", "  second ", "third\x0bstill third"]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbftext,y\nhello,1\n\n")
    assert list(read_texts(open_table(path))) == ["hello"]


def test_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("text\ncafé\n".encode("latin-1"))
    with pytest.raises(InputError, match="is not utf-8 at byte 8.*--encoding"):
        list(read_texts(open_table(path)))
    assert list(read_texts(open_table(path, encoding="latin-1"))) == ["café"]
    for name in ("klingon", "hex", "base64", "rot13", "a\0b", "\udc80"):
        with pytest.raises(InputError, match="unknown --encoding .*: utf-8 and cp1252 are two"):
            open_table(path, encoding=name)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "txt"])
@pytest.mark.parametrize("encoding", ["utf-16", "undefined", "punycode"])
def test_codecs_that_do_not_say_where(tmp_path: Path, ending: str, encoding: str) -> None:
    """From Python 3.13 on some of them do: with UTF-16 it is the first byte."""
    path = tmp_path / f"a.{ending}"
    path.write_text("text-\n")
    found = rf"(cannot be read as {encoding} \(.+\)|is not {encoding} at byte \d): save it"
    with pytest.raises(InputError, match=found):
        list(read_texts(open_table(path, encoding=encoding)))


def test_the_offset_of_a_bad_byte_is_found_far_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    head = ("text\n" + "é" * 10 + "\n" + "ab\n" * 700_000).encode()
    path.write_bytes(head + b"\xff\n")
    with pytest.raises(InputError, match=f"at byte {len(head)}:"):
        list(read_texts(open_table(path)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.jsonl", "\n", "is empty"),
        ("a.doc", "x", "ends in none of .csv"),
        ("a.xlsx", "x", "no Excel workbook that can be read .*: save it as .xlsx or CSV"),
        ("a.xls", "x", "is an Excel workbook of another kind than .xlsx: save it"),
        ("a.csv", "PK\x03\x04\x14\x00", "cannot be unpacked as zip"),
        ("a.csv", "id;txt;y\n1;hello;1,5\n", "no column 'text'.*its columns are id, txt, y"),
        ("a.csv", "id^txt\n1^hello\n", r"only column is id\^txt; --delimiter says"),
        ("a.csv", "a\x00b,y\n", r"its columns are a\\x00b, y"),
        ("a.csv", f"{'a' * 500},y\n", f"its columns are {'a' * 59}…, y"),
        ("a.csv", ",".join(f"c{i}" for i in range(99)), "c18, c19 and 79 more"),
        ("a.csv", "text,y\nhello\n", "has 1 cells in row 1 .* and 2 in its header"),
        ("a.csv", 'text,y\n"hello, you,1\n', "near line 2 .*quotes"),
        ("a.csv", "txt,y\nhello,1\n", "has no column 'text'.*--text.*txt, y"),
        ("a.csv", "text,text\na,b\n", "more than one column 'text'"),
        ("a.jsonl", '{"text": "a"}\nnope\n', "no JSON in line 2"),
        ("a.jsonl", "[1]\n", "no object in line 1"),
        ("a.jsonl", '{"text": "a"}\n' + "[" * 100_000, "too deep to be read in line 2"),
        ("a.jsonl", '{"text": 5}\n', "has int 5 for a text in row 1"),
        ("a.parquet", "PARX", "no Parquet file"),
        ("a.csv", "text\na\n\nb\n\n", "empty or missing text in rows 2, 4: .*--skip-empty"),
        ("a.jsonl", '{"text": "a"}\n{}\n{"text": null}', "text in rows 2, 3"),
        ("a.txt", "a\n\nb\n", "empty or missing text in row 2"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        list(read_texts(open_table(path)))


def test_a_parquet_string_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    offsets = pa.py_buffer(np.array([0, 2], np.int32))
    text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff\xfe")])
    pq.write_table(pa.table({"text": text}), path)
    with pytest.raises(InputError, match=r"a\.parquet has a string .* not UTF-8 in column 'text'"):
        list(read_texts(open_table(path)))


@pytest.mark.parametrize("at", [slice(4, 30), slice(200, 300), slice(-60, -8)])
def test_a_damaged_parquet_file_is_named(tmp_path: Path, at: slice) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"text {i}" for i in range(5000)]}), path)
    damaged = bytearray(path.read_bytes())
    damaged[at] = b"\xff" * len(damaged[at])
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"a\.parquet is no Parquet file .*\): write it anew$"):
        list(read_texts(open_table(path)))


def test_an_old_workbook_is_one_in_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100))
    with pytest.raises(InputError, match="is an Excel workbook"):
        open_table(path, encoding="latin-1")


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        open_table(tmp_path)


def test_empty_texts_can_be_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,y\na,1\n,2\nb,3\n")
    assert list(read_texts(open_table(path), skip_empty=True)) == ["a", "b"]
    dataset = read_dataset(open_table(path), target=["y"], skip_empty=True)
    assert dataset.texts == ["a", "b"]
    assert dataset.targets.tolist() == [[1.0], [3.0]]
    assert dataset.rows.tolist() == [1, 3]
    assert dataset.n_skipped == 1


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ("1,a,1\n2,b,\n3,c,x\n4,d,inf\n", {"target": ["y"]}, "no finite number .* rows 2, 3, 4"),
        ("1,a,1\n1,b,2\n", {"id": "id"}, "the id '1' in rows 1 and 2"),
        ("1,a,1\n,b,2\n", {"id": "id"}, "no value in column 'id' in row 2"),
        ("1,a,1\n,b,2\n", {"group": "id"}, "no value in column 'id' in row 2"),
        ("1,a,1\n", {"target": ["why"]}, "no column 'why'.*its columns are id, text, y"),
        ("1,a,1\n", {"target": ["yy"]}, "did you mean 'y'"),
        ("", {}, "has no rows"),
    ],
)  # fmt: skip
def test_bad_columns(tmp_path: Path, rows: str, options: dict, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text,y\n" + rows)
    with pytest.raises(InputError, match=message):
        read_dataset(open_table(path), **options)


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        ({"y": 10**400}, {"target": ["y"]}, "no finite number in column 'y' in row 2"),
        ({"y": "1_0"}, {"target": ["y"]}, "no finite number in column 'y' in row 2"),
        ({"y": True}, {"target": ["y"]}, "no finite number in column 'y' in row 2"),
        ({"id": "a\ud800"}, {"id": "id"}, "half a surrogate pair in column 'id' in row 2"),
        ({"id": "\udfff"}, {"group": "id"}, "half a surrogate pair in column 'id' in row 2"),
        ({"y": "\ud800b"}, {"extra": ["y"]}, "half a surrogate pair in column 'y' in row 2"),
    ],
)
def test_bad_values(tmp_path: Path, cells: dict, options: dict, message: str) -> None:
    path = tmp_path / "a.jsonl"
    good = {"id": "ok 🙂", "text": "a", "y": 1}
    path.write_text("\n".join(map(json.dumps, [good, {**good, "id": "b", **cells}])))
    with pytest.raises(InputError, match=message):
        read_dataset(open_table(path), **options)


def test_decimals_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "y": [Decimal("1.50"), Decimal("-2.25")]}), path)
    dataset = read_dataset(open_table(path), target=["y"])
    assert dataset.targets.tolist() == [[1.5], [-2.25]]


def test_many_bad_rows_are_summed_up(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,y\n" + "a,?\n" * 25)
    with pytest.raises(InputError, match="rows 1, 2, .*, 10 and 15 more"):
        read_dataset(open_table(path), target=["y"])


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"one\rtwo\rthree", ["one", "two", "three"]),
        (b"one\rtwo\r", ["one", "two"]),
        (b"one\r", ["one"]),
        (b"one", ["one"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"a\rb\nc\n", ["a\rb", "c"]),  # where lines end in LF, a CR is text
        (b"one\na\rb", ["one", "a\rb"]),
    ],
)
def test_lines_may_end_in_bare_carriage_returns(
    tmp_path: Path, content: bytes, texts: list[str]
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    assert list(read_texts(open_table(path))) == texts


def test_other_files_of_bare_carriage_returns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,y\rone,1\rtwo,2\r")
    assert list(read_texts(open_table(tmp_path / "a.csv"))) == ["one", "two"]
