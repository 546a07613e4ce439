"""Texts as people have them: every kind of list, array, series, frame and stream."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import Bank, Banks, text_keys
from features.columns import is_missing
from features.errors import InputError
from features.export import export
from features.texts import as_texts, text_stream

datasets = pytest.importorskip("datasets")
pl = pytest.importorskip("polars")

THREE = ["one", "two", "three"]
PAIRS = [("a", "b"), ("c", "d")]


class Called(str):
    """Of a string of another type, what it holds counts and not what it shows."""

    def __str__(self) -> str:
        return "something else"


def rows(**columns: list[Any]) -> datasets.Dataset:
    return datasets.Dataset.from_dict(columns)


#: Ways to give three texts.
KINDS: dict[str, Callable[[], Any]] = {
    "list": lambda: THREE,
    "tuple": lambda: tuple(THREE),
    "deque": lambda: deque(THREE),
    "generator": lambda: (text for text in THREE),
    "iterator": lambda: iter(THREE),
    "map": lambda: map(str, THREE),
    "values of a dict": lambda: dict(enumerate(THREE)).values(),
    "other strings": lambda: [*map(Called, THREE)],
    "NumPy": lambda: np.array(THREE),
    "NumPy objects": lambda: np.array(THREE, object),
    "NumPy column": lambda: pd.DataFrame({"text": THREE})[["text"]].to_numpy(),
    "pandas": lambda: pd.Series(THREE, index=[7, 8, 9]),
    "pandas index": lambda: pd.Index(THREE),
    "pandas categories": lambda: pd.Series(THREE, dtype="category"),
    "pandas categorical": lambda: pd.Categorical(THREE),
    "pandas strings": lambda: pd.Series(THREE, dtype="string"),
    "pandas frame": lambda: pd.DataFrame({"any name": THREE}),
    "polars": lambda: pl.Series(THREE),
    "polars categories": lambda: pl.Series(THREE, dtype=pl.Categorical),
    "polars frame": lambda: pl.DataFrame({"any name": THREE}),
    "Arrow": lambda: pa.array(THREE),
    "Arrow, large": lambda: pa.array(THREE, pa.large_string()),
    "Arrow, dictionary": lambda: pa.array(THREE).dictionary_encode(),
    "Arrow, chunked": lambda: pa.chunked_array([THREE[:1], THREE[1:]]),
    "Arrow scalars": lambda: list(pa.array(THREE)),
    "Arrow table": lambda: pa.table({"any name": THREE}),
    "column of a data set": lambda: rows(text=THREE, y=[1, 2, 3])["text"],
    "data set of one column": lambda: rows(text=THREE),
    "column of a stream": lambda: rows(text=THREE, y=[1, 2, 3]).to_iterable_dataset()["text"],
}

#: Ways to give pairs.
OF_PAIRS: dict[str, Callable[[], Any]] = {
    "tuples": lambda: PAIRS,
    "lists": lambda: [list(pair) for pair in PAIRS],
    "zip": lambda: zip(["a", "c"], ["b", "d"], strict=True),
    "arrays": lambda: [np.array(pair) for pair in PAIRS],
    "NumPy": lambda: np.array(PAIRS),
    "NumPy objects": lambda: pd.DataFrame(PAIRS).to_numpy(),
    "Arrow": lambda: pa.array([list(pair) for pair in PAIRS]),
    "polars": lambda: pl.Series([list(pair) for pair in PAIRS]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_three_texts(kind: str) -> None:
    texts = as_texts(KINDS[kind]())
    assert texts == THREE
    assert {*map(type, texts)} == {str}
    assert list(text_stream(KINDS[kind]())) == THREE
    np.testing.assert_array_equal(text_keys(KINDS[kind]()), text_keys(THREE))


@pytest.mark.parametrize("kind", OF_PAIRS)
def test_pairs(kind: str) -> None:
    assert as_texts(OF_PAIRS[kind]()) == PAIRS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("one", r"'one' is one text and no list of texts: give .* such as \[text\]"),
        (b"one", "b'one' is one text and no list"),
        (Path("train.csv"), "train.csv.* is one text and no list"),
        ({"text": THREE}, r"a dict gives its keys .* list\(texts\.values\(\)\)"),
        (datasets.DatasetDict({"train": rows(text=THREE)}), "a DatasetDict gives its keys"),
        ({*THREE}, "a set has no order"),
        (frozenset(THREE), "a frozenset has no order"),
        (None, "None is no list of texts"),
        (5, "5 is no list of texts"),
        (io.StringIO("one\ntwo\n"), r"an open file gives lines with their ends .*splitlines"),
        (pd.DataFrame({"a": THREE, "b": THREE}), r"a DataFrame gives its columns .* as df\[\"text"),
        (pd.DataFrame(index=[1]), "a DataFrame gives its columns"),
        (pl.DataFrame({"a": THREE, "b": THREE}), "a DataFrame gives its columns"),
        (pl.LazyFrame({"a": THREE}), "a LazyFrame has not been read yet: collect it first"),
        (pa.table({"a": THREE, "b": THREE}), "a Table gives its columns"),
        (rows(a=THREE, b=THREE), "a Dataset gives its columns"),
        (rows(a=THREE, b=THREE).to_iterable_dataset(), "an IterableDataset gives its columns"),
        (np.array("one"), "not in 0 dimensions"),
        (np.full((1, 1, 1), "one"), "not in 3 dimensions"),
        (np.array([("a", "b")], [("x", "U1"), ("y", "U1")]), "several fields"),
        (iter([]), "the list_iterator of texts gave none, as one does that was read before"),
        (pd.DataFrame({"text": THREE, "y": 1}).to_dict("records"), "a row with the names 'text'"),
        (["one", None], r"text 2 is no string but NoneType \(None\), so it is missing"),
        (["one", float("nan")], r"text 2 is no string but float \(nan\), so it is missing"),
        (pd.Series(["one", None], dtype="string"), r"text 2 is no string but NAType .*missing"),
        (pl.Series(["one", None]), "text 2 .* missing"),
        (pa.array(["one", None]), "text 2 .* missing"),
        (np.ma.array(np.array(THREE, object), mask=[0, 0, 1]), "text 3 .* missing"),
        (np.array(THREE, "S"), "text 1 is no string but bytes: decode it first"),
        (pa.array([b"one"]), "text 1 is no string but bytes"),
        (np.arange(3), "text 1 is no string but int"),
        ([("a", None)], "text 1 has a part that is no string but NoneType"),
        ([("a", ["b"])], "text 1 has a part that is no string but list"),
        ([()], "text 1 has no parts"),
        (["one", []], "text 2 has no parts"),
    ],
)
def test_what_holds_no_texts(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        as_texts(given)
    assert "\n" not in str(caught.value)


def test_no_list_is_an_empty_one() -> None:
    assert as_texts([]) == as_texts(pd.Series([], dtype=object)) == as_texts(pa.array([])) == []


def test_a_stream_is_read_as_it_comes_and_may_be_a_set() -> None:
    taken: list[int] = []
    stream = text_stream(str(taken.append(i)) for i in range(9))
    assert next(stream) == "None"
    assert taken == [0]
    assert {*text_stream({*THREE})} == {*THREE}
    with pytest.raises(InputError, match="text 2 is no string"):
        list(text_stream(iter(["one", 2])))
    with pytest.raises(InputError, match="one text and no list"):
        text_stream("one")  # at once


@pytest.mark.parametrize("kind", KINDS)
def test_a_bank_takes_all_of_them(
    make_bank: Callable[..., Bank], tmp_path: Path, kind: str
) -> None:
    bank, give = make_bank([*THREE, "four"]), KINDS[kind]
    X = bank.matrix(THREE, "mean[-1]")
    np.testing.assert_array_equal(bank.matrix(give(), "mean[-1]"), X)
    banks = Banks([bank, make_bank(THREE, "b.bank")])
    both = "made-up/mean[-1]+b/mean[-1]"
    np.testing.assert_array_equal(banks.matrix(give(), both), np.hstack([X, X]))
    assert bank.contains(give()).tolist() == banks.contains(give()).tolist() == [True] * 3
    assert bank.n_tokens(give()).tolist() == [3, 3, 5]
    out = export(bank, give(), "mean[-1]", tmp_path / "x.npy", ids=give())
    np.testing.assert_array_equal(np.load(out), X)


def test_ids_of_an_export_are_as_many(make_bank: Callable[..., Bank], tmp_path: Path) -> None:
    bank = make_bank(THREE)
    with pytest.raises(InputError, match="there are 3 texts and 2 ids"):
        export(bank, THREE, "mean[0]", tmp_path / "x.csv", ids=["a", "b"])
    out = export(bank, THREE, "mean[0]", tmp_path / "x.csv", ids=pa.array([1, 2, 3]))
    assert pd.read_csv(out)["id"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "given",
    [
        ["one", None], ["one", float("nan")], pd.Series(["one", pd.NA], dtype="string"),
        pl.Series(["one", None]), pa.array(["one", None]), list(pa.array(["one", None])),
        pd.Categorical(["one", None]),
    ],
)  # fmt: skip
def test_a_missing_text_may_count_as_another(given: Any) -> None:
    assert as_texts(given, missing="") == ["one", ""]
    assert as_texts([("a", None), "b"], missing="") == [("a", ""), "b"]
    with pytest.raises(InputError, match="text 1 is no string but int"):
        as_texts([5], missing="")


def test_what_is_missing() -> None:
    missing = [None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT")]
    assert all(map(is_missing, missing))
    assert not any(map(is_missing, ["", "nan", 0, False, np.array([1, 2]), [], "None"]))
