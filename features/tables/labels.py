"""Labels, such as groups and folds: which of them are one, and where there is none."""

from __future__ import annotations

import math
from collections.abc import Container
from numbers import Real

from features.columns import is_missing as stands_for_none

#: What files say, in any case, where a number or a fold is missing.
MISSING = frozenset({"", "nan", "na", "n/a", "none", "null", "<na>"})

#: What a missing value becomes where it is made a string. ``NA`` and ``None`` may be names.
NAN = frozenset({"", "nan", "<na>", "nat"})

#: Whole numbers up to here are exact in float64.
_EXACT = 2.0**53


def is_missing(cell: object, words: Container[str] = NAN) -> bool:
    """Whether nothing stands in a cell: None, NaN of any library, or one of some words.

    >>> is_missing(None), is_missing(float("nan")), is_missing(" "), is_missing("None")
    (True, True, True, False)
    """
    if isinstance(cell, str):
        return cell.strip().lower() in words
    return stands_for_none(cell)


def is_empty(cell: object) -> bool:
    """Whether nothing stands in a cell, as each format has it: null, NaN, nothing between commas.

    >>> is_empty(None), is_empty(""), is_empty(float("nan")), is_empty(" "), is_empty("NaN")
    (True, True, True, False, False)
    """
    return not cell if isinstance(cell, str) else is_missing(cell)


def label_of(cell: object) -> str:
    """What a label is called: equal numbers are one label, and truth values are no numbers.

    >>> label_of(1), label_of(1.0), label_of(True), label_of("1.0")
    ('1', '1', 'True', '1.0')
    """
    # Decimal registers as no Real, and a column of it has one number of places.
    if not isinstance(cell, bool) and isinstance(cell, Real):
        number = float(cell)
        if math.isfinite(number) and number.is_integer() and abs(number) <= _EXACT:
            return str(int(number))
    return str(cell)
