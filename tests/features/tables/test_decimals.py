"""Decimal signs: one for each column, as all of it shows, and never guessed."""

from __future__ import annotations

import csv
import io
import logging
from pathlib import Path

import pytest

from features.errors import InputError
from features.tables.table import open_table, read_dataset


def numbers(path: Path, cells: list[str], sep: str = ",", **options: str) -> list[float]:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=sep).writerows([["text", "y"], *(["a", c] for c in cells)])
    path.write_text(buffer.getvalue())
    return read_dataset(open_table(path, **options), target=["y"]).targets[:, 0].tolist()


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["3,5", "-0,25", "4"], [3.5, -0.25, 4]),
        (["1.234,5", "2.000", "7"], [1234.5, 2000, 7]),
        (["1,234.5", "2,000"], [1234.5, 2000]),
        (["1,234,567", "2,000"], [1234567, 2000]),
        (["0,340", "1,234"], [0.34, 1.234]),
        (["1,5e-3", " 2 "], [0.0015, 2]),
        (["1.234", "5"], [1.234, 5]),
    ],
)
def test_a_column_shows_its_sign(tmp_path: Path, cells: list[str], values: list[float]) -> None:
    for sep in ",;\t|":
        assert numbers(tmp_path / "a.csv", cells, sep) == values


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1,234", "5"], "'1,234' in row 1 of column 'y', which can be read in two ways: .*--deci"),
        (["3,5", "1.25"], "'3,5' in row 1 and '1.25' in row 2"),
        (["3,5", "1.234"], "two ways"),
        (["5.5", "1,234"], "two ways"),
        (["3,5", "x"], "no finite number in column 'y' in row 2"),
        (["3,5", ""], "no finite number in column 'y' in row 2"),
        (["3,5,1"], "no finite number in column 'y' in row 1"),
    ],
)
def test_what_could_be_two_numbers_is_refused(
    tmp_path: Path, cells: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        numbers(tmp_path / "a.csv", cells)


def test_the_option_and_semicolons_settle_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    assert numbers(path, ["1,234", "5"], decimal="comma") == [1.234, 5]
    assert numbers(path, ["1,234", "5"], decimal="point") == [1234, 5]
    assert numbers(path, ["1.234", "5"], decimal="comma") == [1234, 5]
    caplog.set_level(logging.INFO, "features")
    assert numbers(path, ["1,234", "5"], ";") == [1.234, 5]
    assert "'1,234' in column 'y' is 1.234" in caplog.text
    with pytest.raises(InputError, match="'1.25' in row 2 .* no number with a decimal comma"):
        numbers(path, ["3,5", "1.25"], decimal="comma")


def test_numbers_of_other_formats_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "y": 1.5}\n{"text": "b", "y": "2,5"}\n')
    assert read_dataset(open_table(path), target=["y"]).targets[:, 0].tolist() == [1.5, 2.5]


def test_further_columns_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text;w;k\na;0,5;1,5\n")
    dataset = read_dataset(open_table(path), extra=["w", "k"], numeric=["w"])
    assert dataset.extra == {"w": ["0.5"], "k": ["1,5"]}
