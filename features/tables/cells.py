"""What cells of a table may hold: texts, numbers and strings; rows in which they do not, told."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable, Sequence
from decimal import Decimal

from features.errors import InputError
from features.keys import Text
from features.tables.labels import is_empty, label_of

#: Row numbers that an error lists.
LISTED_ROWS = 10

#: Half a surrogate pair, which JSON's escapes can write and no file can hold.
_HALF_PAIR = re.compile("[\ud800-\udfff]")


class Faults:
    """Row numbers of one kind of fault, told in one sentence."""

    def __init__(self, name: str, what: str, advice: str) -> None:
        self._name, self._what, self._advice = name, what, advice
        self._rows: list[int] = []
        self._count = 0

    def add(self, row: int) -> None:
        """Count a row that has the fault."""
        self._count += 1
        if len(self._rows) < LISTED_ROWS:
            self._rows.append(row)

    def raise_if_any(self) -> None:
        """InputError that lists the rows, where there are any."""
        if self._count:
            more = f" and {self._count - len(self._rows)} more" if self._count > LISTED_ROWS else ""
            rows = f"row{'s' * (self._count > 1)} {', '.join(map(str, self._rows))}{more}"
            raise InputError(f"{self._name} has {self._what} in {rows}: {self._advice}")


def text_of(cells: Sequence[object], table: str, row: int) -> Text | None:
    """A row's text, None where a part is empty or missing."""
    for cell in cells:
        if is_empty(cell):
            return None
        if not isinstance(cell, str):
            raise InputError(
                f"{table} has {type(cell).__name__} {cell!r} for a text in row {row}: write "
                "it as a string"
            )
    parts = tuple(str(cell) for cell in cells)
    return parts[0] if len(parts) == 1 else parts


def filled_text(cells: Sequence[object]) -> Text:
    """A row's text, with an empty string for each part that is missing."""
    parts = tuple("" if is_empty(cell) else str(cell) for cell in cells)
    return parts[0] if len(parts) == 1 else parts


def finite_number(cell: object) -> float:
    """A cell's number, NaN where it holds no finite one.

    >>> finite_number(" 1e3 "), finite_number("1_000")
    (1000.0, nan)
    """
    if isinstance(cell, bool) or not isinstance(cell, (str, int, float, Decimal)):
        return math.nan
    if isinstance(cell, str) and "_" in cell:
        return math.nan  # digits that are grouped as in Python's source: a slip, in a file of data
    try:
        value = float(cell)
    except (ValueError, OverflowError):  # JSON's whole numbers may be larger than any float
        return math.nan
    return value if math.isfinite(value) else math.nan


class Strings:
    """Columns of strings as they are read, of which some need a value in every row.

    Parameters
    ----------
    verbatim
        Columns that are no labels, whose 1 and 1.0 are two.
    """

    def __init__(
        self,
        table: str,
        names: Sequence[str],
        needed: Sequence[str],
        verbatim: Container[str | None] = (),
    ) -> None:
        self._verbatim = verbatim
        self.columns: dict[str, list[str]] = {name: [] for name in names}
        self._absent = {
            name: Faults(table, f"no value in column {name!r}", "fill them in") for name in needed
        }
        self._halved = {
            name: Faults(
                table,
                f"half a surrogate pair in column {name!r}",
                "mend it where the file comes from",
            )
            for name in names
        }

    def add(self, row: int, cells: Iterable[object], *, needed: bool = True) -> None:
        """Take in a row's cells, one a column; unless `needed`, labels may be missing."""
        for (name, column), cell in zip(self.columns.items(), cells, strict=True):
            string = "" if is_empty(cell) else self._of(name, cell)
            required = name in self._absent and (needed or name in self._verbatim)
            if required and not string:
                self._absent[name].add(row)
            if _HALF_PAIR.search(string):
                self._halved[name].add(row)
            column.append(string)

    def _of(self, name: str, cell: object) -> str:
        return str(cell) if name in self._verbatim else label_of(cell)

    @property
    def faults(self) -> list[Faults]:
        """What is wrong so far."""
        return [*self._absent.values(), *self._halved.values()]
