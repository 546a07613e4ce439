"""Labels that are one, and cells in which there is none."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.errors import InputError
from features.tables.labels import MISSING, is_missing, label_of
from features.tables.table import open_table, read_dataset


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        (1, "1"), (1.0, "1"), (np.float32(1), "1"), (np.int64(1), "1"), (-0.0, "0"),
        (1.5, "1.5"), (2.0**60, str(2.0**60)), (True, "True"), (np.bool_(True), "True"),
        ("1", "1"), ("1.0", "1.0"), ("1.10", "1.10"), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_equal_numbers_are_one_label_and_strings_are_as_written(cell: Any, label: str) -> None:
    assert label_of(cell) == label


@pytest.mark.parametrize(
    "cell", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, Decimal("nan"), "", " ", "NaN"]
)
def test_what_is_missing(cell: Any) -> None:
    assert is_missing(cell)
    assert is_missing(cell, MISSING)


@pytest.mark.parametrize("cell", [0, False, "0", "NA", "none", "Nancy", ("",)])
def test_what_is_there(cell: Any) -> None:
    assert not is_missing(cell)


def read(path: Path, groups: list[Any]) -> list[str] | None:
    lines = [json.dumps({"text": f"t{i}", "g": group}) for i, group in enumerate(groups)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_dataset(open_table(path), group="g", extra=["g"]).groups


def test_groups_of_json_are_one_where_they_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    assert read(path, [1, 1.0, True, "1", "1.0", 1e0, -0.0]) == [
        "1", "1", "True", "1", "1.0", "1", "0",
    ]  # fmt: skip


@pytest.mark.parametrize("missing", [None, float("nan"), ""])
def test_a_missing_group_is_refused(tmp_path: Path, missing: Any) -> None:
    with pytest.raises(InputError, match="no value in column 'g' in row 2"):
        read(tmp_path / "a.jsonl", ["a", missing, "b"])


def test_ids_are_kept_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "id": 1}\n{"text": "b", "id": 1.0}\n', encoding="utf-8")
    assert read_dataset(open_table(path), id="id").ids == ["1", "1.0"]
