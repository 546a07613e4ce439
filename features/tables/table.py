"""The user's input files: columns of texts, ids, targets and groups, checked on the way in."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.addresses import refuse_address
from features.console.show import printable
from features.errors import InputError
from features.keys import Text
from features.paths import as_path
from features.tables.cells import Faults, Strings, filled_text, finite_number, text_of
from features.tables.decimals import with_points
from features.tables.delimited import DelimitedReader
from features.tables.labels import MISSING, is_missing
from features.tables.reader import Row
from features.tables.readers import reader_of
from features.tables.reading import Reading
from features.tables.spool import flows

#: How many columns an error names, and how much of each name.
LISTED, NAME_LENGTH = 20, 60

#: What else can be done about targets that are no numbers.
LEAVE_OUT = ", or leave missing ones out with --skip-missing"


class Table:
    """An input file that is read row by row; make one with :func:`open_table`.

    Attributes
    ----------
    path
        As it was given.
    name
        What messages call it.
    spooled
        Whether it is standard input or a pipe, which cannot be read by another process.
    columns
        The names that its beginning shows; `require` looks further.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self.path, self.reading = path, reading
        self._reader, self.name = reader_of(path, reading)
        self.spooled = flows(path)

    @property
    def columns(self) -> list[str]:
        return self._reader.columns

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """``(row number from 1, cells)``; strings for csv, tsv and txt, typed values otherwise."""
        for name in columns:
            self.require(name)
        return self._reader.rows(columns)

    def rows_of_numbers(self, columns: Sequence[str], numbers: Sequence[str]) -> Iterator[Row]:
        """As :meth:`rows`, in memory, with ``3,5`` as ``3.5`` in the columns of numbers."""
        if not numbers:
            return self.rows(columns)
        delimiter = None
        if isinstance(self._reader, DelimitedReader):
            delimiter = self._reader.dialect.delimiter
        return with_points(
            self.rows(columns), columns, numbers,
            table=self.name, decimal=self.reading.decimal_sign, delimiter=delimiter,
        )  # fmt: skip

    def require(self, column: str) -> str:
        """The column's name; InputError with those there are when it is not one of them."""
        if column not in self.columns:
            self._reader.all_columns()
        if self.columns.count(column) == 1:
            return column
        if column in self.columns:
            raise InputError(f"{self.name} has more than one column {column!r}: rename them")
        near = difflib.get_close_matches(column, self.columns, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise InputError(f"{self.name} has no column {column!r}{hint}: {self._columns()}")

    def text_columns(self, given: Sequence[str] | None) -> list[str]:
        """The columns that hold the texts: those given, or ``text`` where there is one."""
        if given:
            several = [given] if isinstance(given, str) else given
            return [self.require(name) for name in several]
        if "text" in self.columns or "text" in self._reader.all_columns():
            return [self.require("text")]
        raise InputError(
            f"{self.name} has no column 'text': say which one holds the texts with --text "
            f"({self._columns()})"
        )

    def _columns(self) -> str:
        """Which columns there are, on one line; and what to do where one holds them all."""
        names = ", ".join(_shown(name) for name in self.columns[:LISTED])
        if len(self.columns) == 1 and isinstance(self._reader, DelimitedReader):
            return f"its only column is {names}; --delimiter says what else parts them"
        more = f" and {len(self.columns) - LISTED} more" if len(self.columns) > LISTED else ""
        return f"its columns are {names}{more}"


def _shown(name: str) -> str:
    """A column's name as it may stand in a message: short, and nothing that moves a cursor."""
    return printable(name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…")


def open_table(
    path: str | Path,
    *,
    format: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    quoting: str | None = None,
    decimal: str | None = None,
    no_header: bool = False,
) -> Table:
    """Open an input file, folder of a data set, or pipe.

    What the file shows by itself is logged where it is not the ordinary way of its format.

    Parameters
    ----------
    path
        A ``.csv``, ``.tsv``, ``.jsonl``, ``.json``, ``.parquet``, ``.arrow``, ``.feather``,
        ``.xlsx`` or ``.txt`` file; text formats may be packed as ``.gz``, ``.bz2``, ``.xz``,
        ``.zst`` or ``.zip``. A folder that ``datasets`` saved. ``-`` for standard input.
    format, encoding, delimiter, quoting, decimal, no_header
        As `Reading`: how to read it, where it does not say so itself.

    Raises
    ------
    InputError
        When the file is missing, empty, undecodable, damaged or of an unknown format, or could
        be read in two ways.
    """
    reading = Reading(format, encoding, delimiter, quoting, decimal, no_header)
    refuse_address(path, "an input", "copy it here, and give that file")
    path = as_path(path)
    try:
        return Table(path, reading)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None


def read_texts(
    table: Table, columns: Sequence[str] | None = None, *, skip_empty: bool = False
) -> Iterator[Text]:
    """The texts of a table, streaming and verbatim; several columns make a tuple.

    Raises
    ------
    InputError
        At the end, with the row numbers, when a text is empty or missing, unless they are to be
        skipped.
    """
    faults = _empty_texts(table)
    for row, cells in table.rows(table.text_columns(columns)):
        text = text_of(cells, table.name, row)
        if text is not None:
            yield text
        elif not skip_empty:
            faults.add(row)
    faults.raise_if_any()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Columns of a table in memory, in the order of its rows.

    Parameters
    ----------
    texts
        n texts.
    rows
        Row numbers in the file, from 1, shape ``(n,)``.
    ids, groups
        n strings, where a column was named.
    targets
        Shape ``(n, n_targets)``, float64, finite; NaN where a target is missing and may be.
    extra
        Further columns as strings, by name.
    n_skipped
        Rows left out because their text was empty.
    """

    texts: list[Text]
    rows: NDArray[np.int64]
    ids: list[str] | None
    targets: NDArray[np.float64]
    groups: list[str] | None
    extra: dict[str, list[str]] = field(default_factory=dict)
    n_skipped: int = 0

    def of_rows(self, places: Sequence[int]) -> Dataset:
        """Some of the rows, by their places from 0."""

        def some(values: list[str]) -> list[str]:
            return [values[place] for place in places]

        return replace(
            self,
            texts=[self.texts[place] for place in places],
            rows=self.rows[places],
            ids=None if self.ids is None else some(self.ids),
            targets=self.targets[places],
            groups=None if self.groups is None else some(self.groups),
            extra={name: some(cells) for name, cells in self.extra.items()},
        )


def read_dataset(
    table: Table,
    *,
    text: Sequence[str] | None = None,
    target: Sequence[str] = (),
    id: str | None = None,
    group: str | None = None,
    extra: Sequence[str] = (),
    numeric: Sequence[str] = (),
    skip_empty: bool = False,
    keep_empty: bool = False,
    skip_missing: bool = False,
) -> Dataset:
    """Read columns into memory and check them.

    Parameters
    ----------
    numeric
        Which of the extra columns hold numbers, with a point or a comma as targets.
    skip_empty
        Whether to leave out rows with an empty or missing text.
    keep_empty
        Whether to take what is missing of a text for an empty string.
    skip_missing
        Whether targets may be missing. A row without any of them is still there, and need have
        neither text nor group.

    Raises
    ------
    InputError
        For a missing column, empty texts, targets that are no finite numbers, duplicate or
        missing ids, missing groups, strings that no file can hold; each with its row numbers.
    """
    text_columns = table.text_columns(text)
    named = [name for name in (id, group) if name is not None]
    empty = _empty_texts(table)
    advice = "mend or drop them" + ("" if skip_missing else LEAVE_OUT)
    not_numbers = {
        name: Faults(table.name, f"no finite number in column {name!r}", advice) for name in target
    }
    texts: list[Text] = []
    rows: list[int] = []
    numbers: list[list[float]] = []
    strings = Strings(table.name, list(dict.fromkeys([*named, *extra])), named, verbatim=[id])
    skipped = 0
    columns = [*text_columns, *target, *strings.columns]
    for row, cells in table.rows_of_numbers(columns, [*target, *numeric]):
        parts, rest = cells[: len(text_columns)], iter(cells[len(text_columns) :])
        own = [next(rest) for _ in target]
        absent = [skip_missing and is_missing(cell, MISSING) for cell in own]
        left_out = bool(target) and all(absent)
        value = text_of(parts, table.name, row)
        if value is None:
            if skip_empty:
                skipped += 1
                continue
            value = filled_text(parts)
            if not keep_empty and not left_out:
                empty.add(row)
        texts.append(value)
        rows.append(row)
        numbers.append(
            [
                math.nan if is_absent else _number(cell, row, not_numbers[name])
                for name, cell, is_absent in zip(target, own, absent, strict=True)
            ]
        )
        strings.add(row, rest, needed=not left_out)
    empty.raise_if_any()
    for faults in (*not_numbers.values(), *strings.faults):
        faults.raise_if_any()
    if not texts:
        raise InputError(f"{table.name} has no rows: give a file with at least one text")
    if id is not None:
        _refuse_duplicates(table, id, strings.columns[id], rows)
    return Dataset(
        texts=texts,
        rows=np.array(rows, np.int64),
        ids=None if id is None else strings.columns[id],
        targets=np.array(numbers, np.float64).reshape(len(texts), len(target)),
        groups=None if group is None else strings.columns[group],
        extra={name: strings.columns[name] for name in extra},
        n_skipped=skipped,
    )


def _refuse_duplicates(table: Table, column: str, ids: Sequence[str], rows: Sequence[int]) -> None:
    first: dict[str, int] = {}
    for value, row in zip(ids, rows, strict=True):
        if value in first:
            raise InputError(
                f"{table.name} has the id {value!r} in rows {first[value]} and {row} of column "
                f"{column!r}: ids must differ"
            )
        first[value] = row


def _empty_texts(table: Table) -> Faults:
    return Faults(
        table.name, "an empty or missing text", "fill them in, or leave them out with --skip-empty"
    )


def _number(cell: object, row: int, faults: Faults) -> float:
    value = finite_number(cell)
    if math.isnan(value):
        faults.add(row)
    return value
