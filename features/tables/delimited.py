"""CSV, TSV and their kin: rows of cells, verbatim, and none that took in another unseen."""

from __future__ import annotations

import contextlib
import csv
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from features.errors import InputError
from features.tables.content import Content
from features.tables.decimals import is_number
from features.tables.dialect import has_inner
from features.tables.reader import Row
from features.tables.reading import Reading, delimiter_name
from features.tables.sniffing import sniff

log = logging.getLogger(__name__)


class DelimitedReader:
    """A file of rows of cells, the first of which is the header unless the user says otherwise.

    Parameters
    ----------
    content, reading
        The file, and what the user says of it.
    ordinary
        The delimiter that the file's name promises.
    """

    def __init__(self, content: Content, reading: Reading, ordinary: str) -> None:
        self.content, self.name, self.reading = content, content.name, reading
        self.dialect = sniff(content, reading, ordinary)
        with self._reader() as (reader, _):
            first: list[str] = next(reader, [])
        if not first:
            raise InputError(f"{self.name} is empty: it needs a header row with the columns' names")
        self.columns = first
        if reading.no_header:
            self.columns = [f"c{i}" for i in range(1, len(first) + 1)]
        elif _is_data(first):
            log.info("%s: its first row names the columns; --no-header if it is data", self.name)

    def all_columns(self) -> list[str]:
        return self.columns

    @contextlib.contextmanager
    def _reader(self) -> Iterator[tuple[Any, _Lines]]:
        with self.content.text(self.reading.encoding, newline="") as file:
            lines = _Lines(file)
            for _ in range(self.dialect.n_before):
                next(lines, None)
            reader = self.dialect.reader(lines)
            try:
                yield reader, lines
            except csv.Error as error:
                raise InputError(
                    f"{self.name} cannot be read near line {lines.number} ({error}): check the "
                    "quotes there, or say what they mean with --quoting, such as none where they "
                    "are text"
                ) from None

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        places = [self.columns.index(name) for name in columns]
        width = len(self.columns)
        number = 0
        check = self._check()
        with self._reader() as (reader, lines):
            if not self.reading.no_header:
                next(reader)
            lines.taken.clear()
            for cells in reader:
                if not cells and width > 1:
                    lines.taken.clear()
                    continue  # a blank line, as at the end of many files
                number += 1
                cells = cells or [""]
                if len(cells) != width:
                    raise InputError(self._of_another_width(cells, number, lines.number))
                if check is not None:
                    check(cells, number, lines)
                lines.taken.clear()
                yield number, tuple(cells[place] for place in places)

    def _of_another_width(self, cells: Sequence[str], number: int, line: int) -> str:
        sign = delimiter_name(self.dialect.delimiter)
        return (
            f"{self.name} has {len(cells)} cells in row {number} (line {line}) and "
            f"{len(self.columns)} in its header: quote cells that hold a {sign} or a line break, "
            "or say how the file is written with --delimiter and --quoting"
        )

    def _check(self) -> Any:
        """What looks at each row for a sign that the quoting is another; None for nothing."""
        if self.dialect.given:
            return None
        if self.dialect.quoting == "none":
            return None if self.dialect.settled else self._refuse_late_quotes
        return self._refuse_swallowed

    def _refuse_late_quotes(self, cells: Sequence[str], number: int, lines: _Lines) -> None:
        """A cell in quotes, after a beginning without any, that only a quoting writer makes."""
        if any(cell.startswith('"') and has_inner(cell, "double") for cell in cells):
            raise InputError(
                f"{self.name} has the first cell in quotes in row {number} (line {lines.number}), "
                "where it was read as a file without quoting: say which it is with --quoting "
                "double or --quoting none"
            )

    def _refuse_swallowed(self, cells: Sequence[str], number: int, lines: _Lines) -> None:
        """A row of several lines some of which look like rows: stray quotes, most likely."""
        if len(lines.taken) < 2:
            return
        first, last = lines.number - len(lines.taken) + 1, lines.number
        where = f"row {number} (lines {first} to {last})"
        found = _rows_within(cells, lines.taken, self.dialect.delimiter)
        if found == "surely":
            raise InputError(
                f"{self.name} has quotes around {where}, where a line looks like a row by itself: "
                "say with --quoting none that quotes are text, or with --quoting double that this "
                "is one row"
            )
        if found == "perhaps" and not self._told_of_lines:
            self._told_of_lines = True
            log.warning(
                "%s: quotes keep %s together, where a line looks like a row; --quoting none parts "
                "them", self.name, where,
            )  # fmt: skip

    _told_of_lines = False


def _rows_within(cells: Sequence[str], taken: Sequence[str], delimiter: str) -> str:
    """Whether the lines of one row are ``surely``, ``perhaps`` or not (``""``) rows of their own.

    Lines of a text with line breaks do not all have enough cells, with numbers at their ends
    wherever the row has some.
    """
    width = len(cells)
    raw = [line.rstrip("\r\n").split(delimiter) for line in taken]
    if width == 1:
        return "perhaps"
    if any(len(row) < width for row in raw):
        return ""
    broken = next((i for i in range(width) if "\n" in cells[i] or "\r" in cells[i]), 0)
    # Counted from the end behind that cell, since the text in it may hold delimiters.
    numbers = [i if i < broken else i - width for i in range(width) if is_number(cells[i])]
    if not numbers:
        exact = all(len(row) == width for row in raw)
        return ("surely" if width > 2 else "perhaps") * exact
    ends = (raw[0], raw[-1])
    if not all(is_number(row[i]) for row in ends for i in numbers):
        return ""
    inner = raw[1:-1]
    return "surely" * all(is_number(row[i]) or not row[i] for row in inner for i in numbers)


class _Lines:
    """Lines of a file, and those that the row which is read now took."""

    def __init__(self, file: Iterator[str]) -> None:
        self._file = file
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._file)
        self.number += 1
        self.taken.append(line)
        return line


def _is_data(cells: Sequence[str]) -> bool:
    """Whether a header holds a number: pandas names columns 0, 1, 2, and people do not."""
    ordinal = [str(i) for i in range(len(cells))]
    return cells != ordinal and any(is_number(cell) for cell in cells)
