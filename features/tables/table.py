"""The user's input files: columns of texts, ids, targets and groups, checked on the way in."""

from __future__ import annotations

import difflib
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.console.show import printable
from features.errors import InputError
from features.keys import Text
from features.paths import as_path, hint
from features.tables.cells import Faults, Strings, finite_number, text_of
from features.tables.readers import READERS, Row, refuse_workbook

#: How many columns an error names, and how much of each name.
LISTED, NAME_LENGTH = 20, 60


class Table:
    """An input file that is read row by row; make one with :func:`open_table`."""

    def __init__(self, path: Path, format: str, encoding: str) -> None:
        self.path = path
        self.name = str(path)
        self._reader = READERS[format](path, encoding)
        self.columns: list[str] = self._reader.columns

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """``(row number from 1, cells)``; strings for csv, tsv and txt, typed values otherwise."""
        for name in columns:
            self.require(name)
        return self._reader.rows(columns)

    def require(self, column: str) -> str:
        """The column's name; InputError with those there are when it is not one of them."""
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
        if "text" in self.columns:
            return ["text"]
        raise InputError(
            f"{self.name} has no column 'text': say which one holds the texts with --text "
            f"({self._columns()})"
        )

    def _columns(self) -> str:
        """Which columns there are, on one line; and what to do where one holds them all."""
        names = ", ".join(_shown(name) for name in self.columns[:LISTED])
        if len(self.columns) == 1 and ";" in self.columns[0]:
            return f"its only column is {names}, so save it with commas in place of semicolons"
        if len(self.columns) == 1 and "\t" in self.columns[0]:
            return f"its only column is {names}, so read it as tab-separated with --format tsv"
        more = f" and {len(self.columns) - LISTED} more" if len(self.columns) > LISTED else ""
        return f"its columns are {names}{more}"


def _shown(name: str) -> str:
    """A column's name as it may stand in a message: short, and nothing that moves a cursor."""
    return printable(name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…")


def open_table(path: str | Path, *, format: str | None = None, encoding: str = "utf-8") -> Table:
    """Open an input file.

    Parameters
    ----------
    path
        A ``.csv``, ``.tsv``, ``.jsonl``, ``.parquet`` or ``.txt`` file.
    format
        One of these names, where the ending does not say it.
    encoding
        Of the text formats.

    Raises
    ------
    InputError
        When the file is missing, empty, undecodable or of an unknown format.
    """
    path = as_path(path)
    if format is not None and format not in READERS:
        raise InputError(f"unknown --format {format!r}: it is one of {', '.join(READERS)}")
    if not path.is_file():
        what = "is a folder" if path.is_dir() else f"does not exist{hint(path, _is_table)}"
        raise InputError(f"{path} {what}: give a {', '.join(READERS)} file")
    _refuse_unknown(encoding)
    ending = format or path.suffix.lower().removeprefix(".")
    try:
        refuse_workbook(path, ending)
        if ending not in READERS:
            raise InputError(
                f"{path} ends in none of {', '.join('.' + name for name in READERS)}: say what it "
                "is with --format"
            )
        return Table(path, ending, encoding)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from None


def _is_table(path: Path) -> bool:
    return path.is_file() and path.suffix.lower().removeprefix(".") in READERS


def _refuse_unknown(encoding: str) -> None:
    """InputError for what is no encoding, or one of no text, as hex and base64 are."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding)
    except (LookupError, ValueError):
        raise InputError(f"unknown --encoding {encoding!r}: utf-8 and cp1252 are two") from None


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
        Shape ``(n, n_targets)``, float64, finite.
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


def read_dataset(
    table: Table,
    *,
    text: Sequence[str] | None = None,
    target: Sequence[str] = (),
    id: str | None = None,
    group: str | None = None,
    extra: Sequence[str] = (),
    skip_empty: bool = False,
) -> Dataset:
    """Read columns into memory and check them.

    Raises
    ------
    InputError
        For a missing column, empty texts, targets that are no finite numbers, duplicate or
        missing ids, missing groups, strings that no file can hold; each with its row numbers.
    """
    text_columns = table.text_columns(text)
    named = [name for name in (id, group) if name is not None]
    empty = _empty_texts(table)
    not_numbers = {
        name: Faults(table.name, f"no finite number in column {name!r}", "mend or drop them")
        for name in target
    }
    texts: list[Text] = []
    rows: list[int] = []
    numbers: list[list[float]] = []
    strings = Strings(table.name, list(dict.fromkeys([*named, *extra])), named)
    skipped = 0
    for row, cells in table.rows([*text_columns, *target, *strings.columns]):
        value = text_of(cells[: len(text_columns)], table.name, row)
        if value is None:
            skipped += 1
            empty.add(row)
            if skip_empty:
                continue
        texts.append(value or "")
        rows.append(row)
        rest = iter(cells[len(text_columns) :])
        numbers.append([_number(next(rest), row, not_numbers[name]) for name in target])
        strings.add(row, rest)
    if not skip_empty:
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
