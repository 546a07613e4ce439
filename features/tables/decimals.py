"""Numbers as files have them: 3.5 or 3,5, one way for each column, and never guessed.

A column has one notation. Where its cells show which, that is taken and said where it is not the
ordinary one; where they could be read in two ways, the file is refused.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence

from features.errors import InputError
from features.tables.reader import Row

log = logging.getLogger(__name__)

_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"


def _notation(decimal: str, group: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What matches a number, and one that shows both signs or the second twice."""
    plain = rf"(?:[0-9]+(?:{decimal}[0-9]*)?|{decimal}[0-9]+)"
    grouped = rf"[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})"
    number = rf"\s*[+-]?(?:{plain}|{grouped}+(?:{decimal}[0-9]*)?){_EXPONENT}\s*"
    sure = rf"\s*[+-]?(?:{grouped}{{2,}}|{grouped}+{decimal}[0-9]*){_EXPONENT}\s*"
    return re.compile(number), re.compile(sure)


#: Decimal sign -> its pattern of numbers, and of those that can be nothing else.
_NOTATIONS = {"point": _notation(r"\.", ","), "comma": _notation(",", r"\.")}


def is_number(cell: str) -> bool:
    """Whether a cell is a number in any notation.

    >>> is_number("3,5"), is_number("-1e3"), is_number("1.234,5"), is_number("3 stars")
    (True, True, True, False)
    """
    return any(number.fullmatch(cell) for number, _ in _NOTATIONS.values())


def with_points(
    rows: Iterable[Row],
    columns: Sequence[str],
    numbers: Sequence[str],
    *,
    table: str,
    decimal: str | None = None,
    delimiter: str | None = None,
) -> Iterator[Row]:
    """Rows in which the strings of some columns are numbers as Python writes them.

    All rows come into memory first: a column's notation is that of all of it.

    Parameters
    ----------
    rows, columns
        Rows, and the columns that they have.
    numbers
        The columns that hold numbers. What is none there is left as it is.
    table
        The table's name, for messages.
    decimal
        ``point`` or ``comma``; None to see what each column has.
    delimiter
        Of the file: semicolons are there because commas are in the numbers.

    Raises
    ------
    InputError
        A column could be read in two ways.
    """
    held = list(rows)
    signs = {}
    for place in [place for place, name in enumerate(columns) if name in numbers]:
        column = [(row, cells[place]) for row, cells in held]
        strings = [(row, cell) for row, cell in column if isinstance(cell, str)]
        if sign := _sign(strings, columns[place], table, decimal, delimiter):
            signs[place] = sign
    for row, cells in held:
        own = list(cells)
        for place, sign in signs.items():
            cell = own[place]
            own[place] = _as_python(cell, sign) if isinstance(cell, str) else cell
        yield row, tuple(own)


def _sign(
    cells: Sequence[tuple[int, str]],
    column: str,
    table: str,
    decimal: str | None,
    delimiter: str | None,
) -> str | None:
    """The notation of a column; None where Python reads it as it stands."""
    numbers = [(row, cell) for row, cell in cells if is_number(cell)]
    commas = [(row, cell) for row, cell in numbers if "," in cell]
    if decimal is not None or not commas:
        if decimal == "comma":
            _refuse_points(numbers, column, table)
        return decimal
    fits = {
        sign: all(number.fullmatch(cell) for _, cell in numbers)
        for sign, (number, _) in _NOTATIONS.items()
    }
    sure = {
        sign for sign, (_, only) in _NOTATIONS.items() if any(only.fullmatch(c) for _, c in numbers)
    }
    if all(fits.values()):
        found = "comma" if delimiter == ";" else None
    else:
        found = next((sign for sign, fit in fits.items() if fit), None)
        group = "." if found == "comma" else ","
        if found is not None and found not in sure and any(group in c for _, c in numbers):
            found = None  # thousands, or a slip?
    if found is None:
        shown = commas[:1] + [(row, cell) for row, cell in numbers if "." in cell][:1]
        both = " and ".join(f"{cell.strip()!r} in row {row}" for row, cell in shown)
        raise InputError(
            f"{table} has {both} of column {column!r}, which can be read in two ways: say with "
            "--decimal comma or --decimal point what parts whole numbers from fractions"
        )
    _, cell = commas[0]
    log.info(
        "%s: %r in column %r is %s", table, cell.strip(), column, _as_python(cell, found).strip()
    )
    return found


def _refuse_points(numbers: Sequence[tuple[int, str]], column: str, table: str) -> None:
    for row, cell in numbers:
        if not _NOTATIONS["comma"][0].fullmatch(cell):
            raise InputError(
                f"{table} has {cell.strip()!r} in row {row} of column {column!r}, which is no "
                "number with a decimal comma: mend it, or leave --decimal comma out"
            )


def _as_python(cell: str, sign: str) -> str:
    if not _NOTATIONS[sign][0].fullmatch(cell):
        return cell
    return cell.replace(".", "").replace(",", ".") if sign == "comma" else cell.replace(",", "")
