"""Delimited files as programs and people write them: each read as it was meant, and told."""

from __future__ import annotations

import csv
import io
import logging
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import InputError
from features.tables import sniffing
from features.tables.table import Dataset, open_table, read_dataset

HEADER = "id\ttext\ttarget\n"


def read(path: Path, content: str | bytes, **options: object) -> Dataset:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    table = open_table(path, **options)
    id, text, *target = table.columns
    return read_dataset(table, text=[text], target=target, id=id)


def told(caplog: pytest.LogCaptureFixture) -> str:
    return " ".join(record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("name", "content", "texts", "said"),
    [
        (
            "q.tsv",
            HEADER
            + '1\t"Oh no, not again\t3\n2\tgood value\t4\n3\tthe screen is 24"\t5\n4\tfine\t2\n',
            ['"Oh no, not again', "good value", 'the screen is 24"', "fine"],
            "q.tsv: quotes are text",
        ),
        ("a.tsv", HEADER + '1\t"five" stars\t3\n', ['"five" stars'], "quotes are text"),
        ("a.csv", 'id,text,y\n1,"five" stars,3\n', ['"five" stars'], "quotes are text"),
        ("a.csv", 'id,text,y\n1,24" screen,3\n', ['24" screen'], ""),
        ("a.tsv", HEADER + '1\t24" screen\t3\n', ['24" screen'], ""),
        ("a.tsv", HEADER + '1\t"a"\t3\n2\tb\t4\n', ['"a"', "b"], "quotes are text"),
        ("a.tsv", HEADER + '1\t"a"\t3\n2\t"b"\t4\n', ["a", "b"], "in double quotes"),
        ("a.tsv", '"id"\t"text"\n"1"\t"a ""b"" c"\n', ['a "b" c'], "in double quotes"),
        ("a.tsv", HEADER + '1\t"a\tb"\t3\n', ["a\tb"], "in double quotes"),
        ("a.csv", "id,text,y\n1,'Hello, you',3\n2,'it''s',4\n", ["Hello, you", "it's"], "single"),
        ("a.tsv", "'id'\t'text'\n'1'\t'a'\n", ["a"], "in single quotes"),
        ("a.csv", "id,text,y\n1,'tis so,3\n2,the dogs',4\n", ["'tis so", "the dogs'"], ""),
        ("a.csv", 'id,text\n1,"say \\"hi\\", he"\n', ['say "hi", he'], "backslashes escape"),
        ("a.csv", 'id,text\n1,say \\"hi\\"\n2,C:\\\\x\n', ['say "hi"', "C:\\x"], "backslashes"),
        ("a.csv", 'id,text\n1,"K\\"onig, \\alpha"\n', ['K"onig, \\alpha'], "backslashes escape"),
        ("a.csv", 'id,text\n1,"\\alpha, ""x"""\n', ['\\alpha, "x"'], ""),
        ("a.tsv", HEADER + '1\tK\\"onig \\alpha\t3\n', ['K\\"onig \\alpha'], ""),
        ("a.csv", 'id;text;y\n1;"a; b";3\n', ["a; b"], "semicolon-separated"),
        ("a.csv", "id;text\n1;one, two\n", ["one, two"], "semicolon-separated"),
        ("a.tsv", "id|text\n1|one\n", ["one"], "pipe-separated"),
        ("a.csv", 'id\ttext\n1\t"one\n', ['"one'], "tab-separated, quotes are text"),
        ("a.csv", "sep=;\r\nid;text\r\n1;one\r\n", ["one"], "semicolon-separated"),
        ("a.csv", '"sep=|"\nid|text\n1|one\n', ["one"], "pipe-separated"),
        ("a.csv", "id,text\r1,one\r", ["one"], ""),
        ("a.csv", 'id,text,y\n1,"open,3\n', ['"open'], "quotes are text"),
    ],
)
def test_what_a_file_shows_is_taken_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture,
    name: str, content: str, texts: list[str], said: str,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO, "features")
    dataset = read(tmp_path / name, content)
    assert dataset.texts == texts
    assert said in told(caplog) if said else not told(caplog)


def test_bare_quotes_leave_each_row_its_own_target(tmp_path: Path) -> None:
    rows = '1\t"Oh no\t3\n2\tgood value\t4\n3\tthe screen is 24"\t5\n'
    dataset = read(tmp_path / "q.tsv", HEADER + rows)
    assert (dataset.ids, dataset.targets[:, 0].tolist()) == (["1", "2", "3"], [3.0, 4.0, 5.0])


HARD = ['say "hi"', 'a, b; c\td|e "f"', "line\nbreak", "'tis", 'back\\slash "x"', "plain", '"']


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"quoting": csv.QUOTE_ALL},
        {"quoting": csv.QUOTE_NONNUMERIC},
        {"doublequote": False, "escapechar": "\\"},
        {"quoting": csv.QUOTE_ALL, "doublequote": False, "escapechar": "\\"},
        {"quoting": csv.QUOTE_NONE, "escapechar": "\\"},
        {"quoting": csv.QUOTE_ALL, "quotechar": "'"},
    ],
    ids=lambda how: "-".join(map(str, how.values())) or "plain",
)
def test_what_pandas_writes_is_read_back(tmp_path: Path, sep: str, how: dict) -> None:
    frame = pd.DataFrame({"id": [f"c{i}" for i in range(7)], "text": HARD, "y": range(7)})
    dataset = read(tmp_path / "a.csv", frame.to_csv(index=False, sep=sep, **how))
    assert dataset.texts == HARD
    assert dataset.targets[:, 0].tolist() == [*range(7)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    texts=st.lists(st.text("\"'ab \\", min_size=1).map(str.strip).filter(bool), min_size=1),
    sep=st.sampled_from("\t|"),
)
def test_bare_text_between_tabs_is_verbatim_or_refused(
    tmp_path: Path, texts: list[str], sep: str
) -> None:
    """Without quotes or backslashes as a writer puts them, nothing is taken off."""
    lines = "".join(f"c{i}{sep}x{text}{sep}1\n" for i, text in enumerate(texts))
    dataset = read(tmp_path / "a.tsv", f"id{sep}text{sep}y\n{lines}", quoting="none")
    assert dataset.texts == [f"x{text}" for text in texts]
    if not any('\\"' in text for text in texts):
        dataset = read(tmp_path / "a.tsv", f"id{sep}text{sep}y\n{lines}")
        assert dataset.texts == [f"x{text}" for text in texts]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('1,"Oh no,3\n2,good,4\n3,24",5\n', r"quotes around row 1 \(lines 2 to 4\)"),
        ('1,"Oh, no, no,3\n2,good,4\n3,24",5\n', "looks like a row.*--quoting none"),
        ('c1,"Oh, no,3\nc2,good,4\nc3,24",5\n', "looks like a row"),
        ("1,'tis, so,3\n2,dogs',4\n", "quotes around row 1"),
        ("1,a,b,3\n", "4 cells in row 1"),
        ('1,"a",3\n2,"five" stars,4\n', "near line 3 .*--quoting"),
        ('1,"a",3\n2,"cut,4\n', "near line 3 .*--quoting"),
        ('1,"open, really,3\n', "near line 2 "),
        ('1,"Oh no,3\n2,good,\n3,24",5\n', "looks like a row"),
    ],
)
def test_what_swallows_others_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.csv", "id,text,y\n" + content)


@pytest.mark.parametrize(
    "text",
    [
        "Dear John,\nParis, June 5, 1999\nYours, Mary",
        "a, b, 3\n4, 5, 6\n",
        "3, 4\nand 5",
        "a\n\nb",
        "x,\ny",
        "1,a\n2",
    ],
)
def test_texts_of_several_lines_are_not_taken_for_rows(tmp_path: Path, text: str) -> None:
    frame = pd.DataFrame({"id": ["c1", "c2"], "text": [text, "b"], "y": [1.5, 2]})
    assert read(tmp_path / "a.csv", frame.to_csv(index=False)).texts == [text, "b"]


@pytest.mark.parametrize(
    ("name", "late", "message"),
    [
        ("a.csv", '1,"five" stars,3\n', "near line 102 .*--quoting"),
        ("a.csv", '1,"oh no,3\n2,b,4\n3,24",3\n', r"row 101 \(lines 102 to 104\)"),
        ("a.tsv", '1\t"a ""b"" c"\t3\n', r"in row 101 \(line 102\).*--quoting double"),
        ("a.tsv", '1\t"a\tb"\t3\n', r"4 cells in row 101 \(line 102\)"),
        ("a.csv", "1;a;3\n", r"1 cells in row 101"),
    ],
)
def test_what_contradicts_the_beginning_later_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, late: str, message: str
) -> None:
    monkeypatch.setattr(sniffing, "BEGINNING", 200)
    sep = "," if name == "a.csv" else "\t"
    plain = f"id{sep}text{sep}y\n" + f"1{sep}a{sep}2\n" * 100
    path = tmp_path / name
    path.write_text(plain + late)
    with pytest.raises(InputError, match=message):
        read_dataset(open_table(path), target=["y"])
    path.write_text(plain + f"1{sep}fine{sep}3\n")
    assert len(read_dataset(open_table(path), target=["y"]).texts) == 101


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({"quoting": "none"}, ['"a"', "b"]),
        ({"quoting": "double"}, ["a", "b"]),
        ({"delimiter": "semicolon"}, ["a", "b"]),
        ({"delimiter": ";", "quoting": "auto"}, ["a", "b"]),
    ],
)
def test_options_say_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: dict, texts: list[str]
) -> None:
    assert read(tmp_path / "a.csv", 'id;text;y\n1;"a";1\n2;b;2\n', **options).texts == texts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ";;"}, "unknown --delimiter ';;': it is auto, comma, tab, semicolon, pipe"),
        ({"delimiter": "x"}, "unknown --delimiter"),
        ({"quoting": "wild"}, "unknown --quoting 'wild': it is auto, double, single, backslash or"),
        ({"decimal": "."}, "unknown --decimal"),
        ({"delimiter": "comma"}, "says sep=;.*--delimiter"),
    ],
)
def test_options_that_are_none(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.csv", "sep=;\nid;text\n1;a\n", **options)


def test_two_delimiters_that_fit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError, match="could be separated by semicolon and pipe"):
        read(tmp_path / "a.csv", "a;b|c\n1;2|3\n")
    assert read(tmp_path / "a.csv", "a,b|c\n1,2|3\n").texts == ["2|3"]
    assert "though pipe would fit as well" in told(caplog)


def test_a_file_without_a_header(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "features")
    content = "7,hello,3.5\n8,you,4\n"
    dataset = read(tmp_path / "a.csv", content, no_header=True)
    assert (dataset.ids, dataset.texts) == (["7", "8"], ["hello", "you"])
    assert open_table(tmp_path / "a.csv", no_header=True).columns == ["c1", "c2", "c3"]
    assert not told(caplog)
    read(tmp_path / "a.csv", content)
    assert "its first row names the columns; --no-header if it is data" in told(caplog)


@pytest.mark.parametrize("codec", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, codec: str) -> None:
    """As what Excel calls Unicode text has one."""
    content = "id\ttext\ttarget\r\n1\tcafé\t3,5\r\n".encode(codec)
    dataset = read(tmp_path / "a.txt", content, format="csv")
    assert (dataset.texts, dataset.targets.tolist()) == (["café"], [[3.5]])


def test_a_table_of_a_european_excel(tmp_path: Path) -> None:
    content = '\ufeffid;text;score\r\n1;"Er sagte: ""ja""; nein";1.234,5\r\n2;"a\nb";0,25\r\n'
    dataset = read(tmp_path / "a.csv", content)
    assert dataset.texts == ['Er sagte: "ja"; nein', "a\nb"]
    assert dataset.targets[:, 0].tolist() == [1234.5, 0.25]


def test_cells_may_be_as_long_as_they_are(tmp_path: Path) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["id", "text"], ["1", "ab, " * 200_000]])
    assert len(read(tmp_path / "a.csv", buffer.getvalue()).texts[0]) == 800_000
