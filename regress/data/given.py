"""Targets, groups, weights and ids as people have them, beside their texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.columns import as_list, column_names
from features.errors import InputError
from features.tables.labels import is_missing
from regress.compute.arrays import Matrix

#: Numbers beside the texts, as `as_numbers` takes them.
NumbersLike = ArrayLike | Iterable[Any]

#: How many row numbers an error lists.
LISTED = 10

#: Half the range of a target that is taken: LightGBM has its targets in float32, and the standard
#: error of an RMSE comes from fourth powers.
LARGEST, SMALLEST = 1e25, 1e-25


def as_numbers(given: Any, what: str, rows: Sequence[int] | None = None) -> Matrix:
    """Numbers as float64, of a column shape (n,), of a frame or of rows (n, k); NaN where missing.

    Parameters
    ----------
    given
        A list of numbers, of strings that say numbers, or of rows; an array; a series or a frame
        of pandas or polars; an Arrow array or table; a column of a data set; a generator.
    what
        What they are called, in the plural.
    rows
        Row numbers that errors name; None to count from 1.

    Raises
    ------
    InputError
        For what is no number, with its row.
    """
    if (names := column_names(given)) is not None and not hasattr(type(given), "to_numpy"):
        columns = [as_numbers(given[name], what, rows) for name in names]
        return np.stack(columns, axis=1) if columns else np.empty((len(given), 0))
    if isinstance(given, np.ma.MaskedArray):
        given = np.where(np.ma.getmaskarray(given), np.nan, given.data)
    if not hasattr(type(given), "__array__") and not isinstance(given, (int, float)):
        given = as_list(given, what)
    try:
        found = np.asarray(given)
    except ValueError:
        raise InputError(
            f"{what} have rows of different lengths: give as many for each text"
        ) from None
    except (RuntimeError, TypeError) as error:  # a tensor on a GPU, say
        raise InputError(f"{what} cannot be read as numbers ({error}): give a list") from None
    if found.dtype.kind in "biuf":
        return found.astype(np.float64)
    if found.dtype.kind not in "OU":
        raise InputError(f"{what} are no numbers but {found.dtype}: convert them first")
    flat = [
        _number(cell, what, _row(rows, place // max(1, math.prod(found.shape[1:]))))
        for place, cell in enumerate(found.reshape(-1).tolist())
    ]
    return np.array(flat, np.float64).reshape(found.shape)


def as_labels(given: Iterable[Any], what: str, rows: Sequence[int] | None = None) -> list[Any]:
    """One label a row, such as its group, in a list.

    Raises
    ------
    InputError
        It is no column, or a label is missing: rows without one would otherwise be one group.
    """
    labels = as_list(given, what)
    labels = [label[0] if isinstance(label, (list, tuple)) and len(label) == 1 else label
              for label in labels]  # fmt: skip
    wrong = np.array([is_missing(label) for label in labels], bool)
    if wrong.any():
        raise InputError(
            f"{what} are missing in {listed(wrong, rows)}: fill them in, or leave the rows out"
        )
    return labels


def refuse_extreme(values: Matrix, name: str) -> None:
    """InputError for a target whose deviations no regressor can square, and square again."""
    low, high = float(values.min()), float(values.max())
    span = high / 2 - low / 2
    if not SMALLEST < span < LARGEST:
        raise InputError(
            f"target {name!r} runs from {low:g} to {high:g}, which is too "
            f"{'wide' if span >= LARGEST else 'narrow'} a range to be squared: give it in another "
            "unit, or as its logarithm"
        )
    if max(-low, high) >= LARGEST:
        raise InputError(
            f"target {name!r} runs from {low:g} to {high:g}, too far from 0 to be squared: "
            "subtract a constant, or give it in another unit"
        )


def listed(wrong: NDArray[np.bool_], rows: Sequence[int] | None) -> str:
    """Which rows are wrong, up to `LISTED` of them."""
    positions = np.flatnonzero(wrong)
    numbers = [_row(rows, int(i)) for i in positions[:LISTED]]
    more = f" and {len(positions) - LISTED} more" if len(positions) > LISTED else ""
    return f"row {', '.join(map(str, numbers))}{more}"


def _row(rows: Sequence[int] | None, place: int) -> int:
    return place + 1 if rows is None or place >= len(rows) else int(rows[place])


def _number(cell: Any, what: str, row: int) -> float:
    """A cell's number, NaN where it is missing.

    Digits that are grouped with ``_`` are a number to Python alone.
    """
    if not isinstance(cell, str) and is_missing(cell):
        return math.nan
    try:
        if isinstance(cell, str) and "_" in cell:
            raise ValueError
        if not isinstance(cell, (str, int, float, Decimal, np.number)):
            raise TypeError
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{what} are no numbers: row {row} has {cell!r:.40}") from None
