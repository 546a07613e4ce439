"""Targets, groups and weights as people have them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import text_keys
from features.errors import InputError
from regress.data.folds import make_folds
from regress.data.given import as_labels, as_numbers
from regress.data.task import checked_task

datasets = pytest.importorskip("datasets")
pl = pytest.importorskip("polars")

THREE = [1.0, 2.5, -3.0]
PAIRS = [[1.0, 4.0], [2.5, 5.0], [-3.0, 6.0]]
TEXTS = ["a", "b", "c"]


def frame(**settings: Any) -> pd.DataFrame:
    return pd.DataFrame(PAIRS, columns=["first", "second"], **settings)


#: Ways to give three numbers.
COLUMNS: dict[str, Callable[[], Any]] = {
    "list": lambda: THREE,
    "tuple": lambda: tuple(THREE),
    "generator": lambda: (value for value in THREE),
    "strings": lambda: [str(value) for value in THREE],
    "strings of NumPy": lambda: np.array([f" {value} " for value in THREE]),
    "decimals": lambda: [Decimal(value) for value in THREE],
    "NumPy": lambda: np.array(THREE, np.float32),
    "NumPy objects": lambda: np.array([1, "2.5", np.float64(-3)], object),
    "pandas": lambda: pd.Series(THREE, index=[7, 8, 9]),
    "pandas, of its own": lambda: pd.Series(THREE, dtype="Float64"),
    "pandas categories": lambda: pd.Series(["1", "2.5", "-3"], dtype="category"),
    "polars": lambda: pl.Series(THREE),
    "Arrow": lambda: pa.array(THREE),
    "Arrow, chunked": lambda: pa.chunked_array([THREE[:1], THREE[1:]]),
    "Arrow, decimals": lambda: pa.array([Decimal(value) for value in THREE]),
    "data set": lambda: datasets.Dataset.from_dict({"y": THREE})["y"],
}

#: Ways to give two numbers a row, and the names that they bring along.
FRAMES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "lists": (lambda: PAIRS, ("target_1", "target_2")),
    "NumPy": (lambda: np.array(PAIRS), ("target_1", "target_2")),
    "pandas": (lambda: frame(index=[7, 8, 9]), ("first", "second")),
    "polars": (lambda: pl.from_pandas(frame()), ("first", "second")),
    "Arrow": (lambda: pa.Table.from_pandas(frame()), ("first", "second")),
    "data set": (
        lambda: datasets.Dataset.from_pandas(frame()), ("first", "second"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_of_numbers(kind: str) -> None:
    assert as_numbers(COLUMNS[kind](), "targets").tolist() == THREE
    task = checked_task(TEXTS, COLUMNS[kind](), sample_weight=(w for w in (1, 2, 3)))
    assert task.Y.ravel().tolist() == THREE


def test_a_column_vector_and_a_frame_of_one_column() -> None:
    for given in (np.array(THREE)[:, None], pd.DataFrame({"y": THREE}), pl.DataFrame({"y": THREE})):
        assert checked_task(TEXTS, given).Y.ravel().tolist() == THREE
    assert checked_task(TEXTS, pl.DataFrame({"y": THREE})).target_names == ("y",)
    assert checked_task(TEXTS, pl.Series("y", THREE)).target_names == ("y",)


@pytest.mark.parametrize("kind", FRAMES)
def test_several_targets(kind: str) -> None:
    give, names = FRAMES[kind]
    task = checked_task(TEXTS, give())
    assert task.Y.tolist() == PAIRS
    assert task.target_names == names


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (frame()[[]], "the frame of targets has no columns: give one at least"),
        (pl.DataFrame(), "the frame of targets has no columns"),
        (pa.table({}), "the frame of targets has no columns"),
        ("score", "'score' is no list of targets"),
        (None, "None is no list of targets"),
        ({"y": THREE}, r"a dict gives its keys and not its targets: .*list\(targets\.values\(\)\)"),
        ({1.0, 2.0, 3.0}, "a set has no order"),
        (iter([]), "the list_iterator of targets gave none"),
        ([{"y": 1}, {"y": 2}, {"y": 3}], "targets are no numbers: row 1 has {'y': 1}"),
        (["1", "2", "three"], "targets are no numbers: row 3 has 'three'"),
        (["1_0", "2", "3"], "targets are no numbers: row 1 has '1_0'"),
        ([[1, 2], [3, "x"], [4, 5]], "targets are no numbers: row 2 has 'x'"),
        ([1, 2, 10**400], "targets are no numbers: row 3 has 1000"),
        (np.array([1j, 2, 3]), "targets are no numbers but complex128"),
        (pd.Series(pd.to_datetime(["2020-01-01"] * 3)), "targets are no numbers but datetime64"),
        (np.zeros((3, 1, 1)), r"targets have shape \(3, 1, 1\)"),
        ([1, None, 3], "target 'target' is no finite number in row 2"),
        (pl.Series([1, None, 3]), "no finite number in row 2"),
        (pa.array([1, 2, None]), "no finite number in row 3"),
        (pd.Series([1, pd.NA, 3], dtype="Int64"), "no finite number in row 2|row 2 has <NA>"),
        (np.ma.array([1.0, 2.0, 3.0], mask=[1, 0, 0]), "no finite number in row 1"),
        ([1e200, 2, 3], r"runs from 2 to 1e\+200, which is too wide a range to be squared: give"),
        ([1.7e308, -1.7e308, 3], "too wide a range"),
        ([1e-200, 2e-200, 3e-200], "too narrow a range"),
        ([1e120, 1e120 + 1e105, 1e120], "too (wide|far from 0)"),
    ],
)
def test_what_are_no_targets(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        checked_task(TEXTS, given)
    assert "\n" not in str(caught.value)


def test_large_and_small_targets_are_fine() -> None:
    for scale in (1e22, 1e-22):
        assert checked_task(TEXTS, scale * np.array(THREE)).Y.ravel()[1] == scale * 2.5


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_a_missing_group_is_none(missing: object) -> None:
    with pytest.raises(InputError, match=r"missing in row 8(, 9)?: fill"):
        checked_task(TEXTS, THREE, groups=["a", missing, missing], rows=[7, 8, 9])


@pytest.mark.parametrize(
    "groups",
    [pd.Series(["x", "y", "x"], index=[7, 8, 9]), pl.Series(["x", "y", "x"]), iter("xyx"),
     pa.array(["x", "y", "x"]), np.array([["x"], ["y"], ["x"]])],
)  # fmt: skip
def test_groups_and_ids_of_every_kind(groups: Any) -> None:
    task = checked_task(TEXTS, THREE, groups=groups, ids=pa.array([1, 2, 3]))
    assert task.groups == ["x", "y", "x"]
    assert task.ids == [1, 2, 3]


def test_what_are_no_groups() -> None:
    with pytest.raises(InputError, match="'author' is no list of groups"):
        as_labels("author", "groups")
    with pytest.raises(InputError, match="there are 3 texts and 2 groups"):
        checked_task(TEXTS, THREE, groups=iter("ab"))


def test_folds_of_missing_groups() -> None:
    with pytest.raises(InputError, match="groups are missing in row 2"):
        make_folds(text_keys(TEXTS), np.array(THREE), scheme="group", groups=["a", None, "b"])
