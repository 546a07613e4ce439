"""Columns as people have them: lists, arrays, series, frames of one column, Arrow, generators.

A library's own column is known by what it can do, and no library is imported for it: pandas and
polars, Arrow, ``datasets``, NumPy and torch all say how they become a list.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from features.errors import InputError

#: How a column becomes a list, asked in this order.
_TO_LIST = ("to_pylist", "to_list", "tolist")


def entries(given: object, what: str, *, ordered: bool = True) -> Iterable[Any]:
    """What a column holds, entry by entry; entries of an array of two dimensions are its rows.

    Parameters
    ----------
    given
        A list, tuple or other sequence, an array, a series, a frame of one column, an Arrow array,
        a column of a data set, or an iterator, which is not read here.
    what
        What its entries are called, in the plural.
    ordered
        Whether their order counts, so that a set is refused.

    Raises
    ------
    InputError
        It is none of these, or iterating over it would give other things than its entries.
    """
    _refuse_other_things(given, what, ordered=ordered)
    if (names := column_names(given)) is not None:
        return entries(_only_column(given, names, what), what, ordered=ordered)
    if len(shape := getattr(given, "shape", (0,))) != 1:
        given = _as_column(given, len(shape), what)
    if getattr(getattr(given, "dtype", None), "names", None):
        raise InputError(
            f"the array of {what} has several fields: give one of them, such as array['text']"
        )
    for name in _TO_LIST:
        if hasattr(type(given), name):  # asked of the type: a series has its index as attributes
            listed: list[Any] = getattr(given, name)()
            return listed
    if not isinstance(given, Iterable):
        raise InputError(f"{given!r:.60} is no list of {what}: give a list, one for each text")
    return given


def as_list(given: object, what: str) -> list[Any]:
    """The entries of a column in memory; a generator is read to its end.

    Raises
    ------
    InputError
        As `entries`; and for an iterator that gives nothing, since it was read before.
    """
    found = list(entries(given, what))
    if not found and isinstance(given, Iterator):
        raise InputError(
            f"the {type(given).__name__} of {what} gave none, as one does that was read before: "
            "give a list, which can be read again"
        )
    return found


def column_names(given: object) -> list[str] | None:
    """Names of a frame's columns; None for what is no frame, or does not know them yet."""
    for name in ("column_names", "columns"):  # Arrow's `columns` are the columns themselves
        # Asked of the type: a Series takes an entry of its index for an attribute.
        if not hasattr(type(given), name):
            continue
        if hasattr(type(given), "collect"):
            raise InputError(
                f"{_a(given)} has not been read yet: collect it first, and give one column, such "
                'as frame["text"]'
            )
        names = getattr(given, name)
        return None if names is None else list(names)
    return None


def is_missing(entry: object) -> bool:
    """Whether an entry stands for none: None, NaN, pandas' NA and NaT."""
    if entry is None:
        return True
    try:
        return bool(entry != entry)
    except TypeError:  # whether NA is NA, is NA
        return True
    except ValueError:  # an array
        return False


def _refuse_other_things(given: object, what: str, *, ordered: bool) -> None:
    if isinstance(given, (str, bytes, bytearray, os.PathLike)):
        if what == "texts":
            raise InputError(
                f"{given!r:.60} is one text and no list of texts: give a list of strings, such as "
                "[text]"
            )
        raise InputError(f"{given!r:.60} is no list of {what}: give a list, one for each text")
    if isinstance(given, Mapping):
        raise InputError(
            f"{_a(given)} gives its keys and not its {what}: give a list, such as "
            f"list({_variable(what)}.values())"
        )
    if ordered and isinstance(given, (set, frozenset)):
        raise InputError(
            f"{_a(given)} has no order, so that nothing says which of its {what} stands in which "
            "row: give a list"
        )
    if isinstance(given, io.IOBase):
        raise InputError(
            f"an open file gives lines with their ends and not {what}: give a list, such as "
            "file.read().splitlines()"
        )


def _only_column(given: Any, names: list[str], what: str) -> object:
    if len(names) != 1:
        pairs = ', or pairs, as list(zip(df["prompt"], df["essay"]))' if what == "texts" else ""
        raise InputError(
            f"{_a(given)} gives its columns and not its {what}: give one column, such as "
            f'df["{_variable(what).removesuffix("s")}"]{pairs}'
        )
    return given[names[0]]


def _as_column(given: Any, n_dimensions: int, what: str) -> object:
    if n_dimensions == 2:
        return given.reshape(-1) if given.shape[1] == 1 else given
    raise InputError(
        f"{what} come in a list or a table, not in {n_dimensions} dimensions: give one for each row"
    )


def _a(given: object) -> str:
    """The kind of a thing, with its article."""
    kind = type(given).__name__
    return f"an {kind}" if kind[0] in "AEIOU" else f"a {kind}"


def _variable(what: str) -> str:
    """What a variable with such entries would be called: the last word."""
    return what.split()[-1]
