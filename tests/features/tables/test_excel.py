"""Workbooks: the first sheet's values, and one sentence where that is not what it seems."""

from __future__ import annotations

import datetime
import logging
import sys
import zipfile
from pathlib import Path

import pytest

from features.errors import InputError
from features.tables import excel
from features.tables.table import open_table, read_dataset

openpyxl = pytest.importorskip("openpyxl")


def workbook(path: Path, *rows: list, **sheets: list) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name, cells in sheets.items():
        book.create_sheet(name).append(cells)
    book.save(path)
    return path


def test_a_workbook_is_a_table(tmp_path: Path) -> None:
    rows = [["id", "text", "y"], ["007", " a\nb ", 1.5], [8, "=lower", 2], ["NA", "c", 3.25]]
    path = workbook(tmp_path / "a.xlsx", *rows)
    book = openpyxl.load_workbook(path)
    book.active["B3"].data_type = "s"  # text that looks like a formula
    book.save(path)
    dataset = read_dataset(open_table(path), target=["y"], id="id")
    assert dataset.ids == ["007", "8", "NA"]
    assert dataset.texts == [" a\nb ", "=lower", "c"]
    assert dataset.targets[:, 0].tolist() == [1.5, 2.0, 3.25]


def test_values_of_formulas(tmp_path: Path) -> None:
    """As Excel leaves them; what was never calculated is missing, and so are errors."""
    path = workbook(tmp_path / "a.xlsx", ["text", "y"], ["a", 1], ["b", "=1+1"], ["c", "#N/A"])
    with pytest.raises(InputError, match="no finite number in column 'y' in rows 2, 3"):
        read_dataset(open_table(path), target=["y"])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b"<v></v>", b"<v>2</v>").replace(b"<v />", b"<v>2</v>")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match="no finite number in column 'y' in row 3"):
        read_dataset(open_table(path), target=["y"])


def test_of_several_sheets_the_first_is_read_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "features")
    path = workbook(tmp_path / "a.xlsx", ["text"], ["one"], Notes=["text"])
    assert read_dataset(open_table(path)).texts == ["one"]
    assert "of 2 sheets, read the first, 'Sheet'" in caplog.text


def test_blank_rows_count_between_others(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [], ["text", "y"], ["a", 1], [], ["b", 2], [None], [])
    with pytest.raises(InputError, match="empty or missing text in row 2"):
        read_dataset(open_table(path))
    dataset = read_dataset(open_table(path), target=["y"], skip_empty=True)
    assert (dataset.texts, dataset.rows.tolist()) == (["a", "b"], [1, 3])


def test_without_a_header(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["a", 1], ["b", 2])
    table = open_table(path, no_header=True)
    assert table.columns == ["c1", "c2"]
    assert read_dataset(table, text=["c1"], target=["c2"]).targets[:, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has an empty first sheet"),
        ([["text"], ["a", "b"]], "has 2 cells in row 1 and 1 in its header"),
        ([["text"], [5]], "has int 5 for a text in row 1"),
        ([["text"], [datetime.date(2020, 1, 2)]], "has datetime .* for a text in row 1"),
        ([["text", "text"], ["a", "b"]], "more than one column 'text'"),
    ],
)
def test_bad_workbooks(tmp_path: Path, rows: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_dataset(open_table(workbook(tmp_path / "a.xlsx", *rows)))


@pytest.mark.parametrize("name", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
@pytest.mark.parametrize("data", [b"", b"<a><b></a>", b"\xff\xfe", None])
def test_damaged_workbooks(tmp_path: Path, name: str, data: bytes | None) -> None:
    path = workbook(tmp_path / "a.xlsx", ["text"], ["one"])
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for part, own in parts.items():
            if part != name:
                archive.writestr(part, own)
            elif data is not None:
                archive.writestr(part, data)
    with pytest.raises(InputError, match=r"a\.xlsx (is no Excel workbook|has an empty|has no sh)"):
        read_dataset(open_table(path))


CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
RELATIONS = "application/vnd.openxmlformats-package.relationships+xml"
AS_EXCEL_WRITES = {
    "[Content_Types].xml": f'''<Types xmlns="{PACKAGE}/content-types">
        <Default Extension="rels" ContentType="{RELATIONS}"/>
        <Override PartName="/xl/workbook.xml" ContentType="{CONTENT}.sheet.main+xml"/>
        <Override PartName="/xl/worksheets/sheet1.xml" ContentType="{CONTENT}.worksheet+xml"/>
        <Override PartName="/xl/sharedStrings.xml" ContentType="{CONTENT}.sharedStrings+xml"/>
        </Types>''',
    "_rels/.rels": f'''<Relationships xmlns="{PACKAGE}/relationships">
        <Relationship Id="rId1" Type="{LINKS}/officeDocument" Target="xl/workbook.xml"/>
        </Relationships>''',
    "xl/workbook.xml": f'''<workbook xmlns="{MAIN}" xmlns:r="{LINKS}"><sheets>
        <sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>''',
    "xl/_rels/workbook.xml.rels": f'''<Relationships xmlns="{PACKAGE}/relationships">
        <Relationship Id="rId1" Type="{LINKS}/worksheet" Target="worksheets/sheet1.xml"/>
        <Relationship Id="rId2" Type="{LINKS}/sharedStrings" Target="sharedStrings.xml"/>
        </Relationships>''',
    "xl/sharedStrings.xml": f'''<sst xmlns="{MAIN}"><si><t>text</t></si><si><t>y</t></si>
        <si><t xml:space="preserve"> a_x000D_
b </t></si><si><r><t>bold</t></r><r><t xml:space="preserve"> and not</t></r></si>
        </sst>''',
    # Its dimension is wrong, and its second row has a cell less.
    "xl/worksheets/sheet1.xml": f'''<worksheet xmlns="{MAIN}"><dimension ref="A1"/><sheetData>
        <row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>
        <row r="2"><c r="A2" t="s"><v>2</v></c></row>
        <row r="3"><c r="A3" t="s"><v>3</v></c><c r="B3"><f>1/2</f><v>0.5</v></c></row>
        </sheetData></worksheet>''',
}  # fmt: skip


def test_parts_as_excel_writes_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        for name, part in AS_EXCEL_WRITES.items():
            archive.writestr(name, part)
    rows = list(open_table(tmp_path / "a.xlsx").rows(["text", "y"]))
    assert rows == [(1, (" a\r\nb ", None)), (2, ("bold and not", 0.5))]


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["text"], ["one"])
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = bomb + parts[sheet].replace(b"one", b"&b;")
    with zipfile.ZipFile(path, "w") as archive:
        for part, own in parts.items():
            archive.writestr(part, own)
    with pytest.raises(InputError, match="is no Excel workbook that can be read"):
        read_dataset(open_table(path))


def test_a_workbook_that_unpacks_to_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "LARGEST", 1000)
    with pytest.raises(InputError, match="unpacks to more than"):
        open_table(workbook(tmp_path / "a.xlsx", ["text"], ["one"]))


def test_without_openpyxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "a.xlsx", ["text"], ["one"])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"openpyxl is not installed: pip .*layerbank\[excel\]"):
        open_table(path)


def test_options_for_text_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ["text"], ["one"])
    with pytest.raises(InputError, match="--delimiter is for csv and tsv, and .* is xlsx"):
        open_table(path, delimiter="tab")
