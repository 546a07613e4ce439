"""Rows of a CSV, TSV, JSONL, Parquet or text file, streaming and verbatim.

Each reader is a class with ``columns`` and ``rows``. Nothing is stripped, parsed or taken for
missing: a text ``NA`` stays ``NA``.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from features.errors import InputError

#: A row's number, from 1, and its cells.
Row = tuple[int, tuple[object, ...]]

#: First bytes of a ZIP archive, which new Excel files are, and of an OLE file, as the old ones.
WORKBOOK_HEADS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")

WORKBOOK_ENDINGS = ("xlsx", "xlsm", "xls")


class Reader(Protocol):
    """One file format."""

    columns: list[str]

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """``(row number from 1, cells)`` of each data row."""


def refuse_workbook(path: Path, ending: str) -> None:
    """InputError for a file from Excel, by its first bytes or by its ending."""
    with path.open("rb") as file:
        head = file.read(8)
    if ending in WORKBOOK_ENDINGS:
        raise InputError(f"{path} is an Excel workbook: save it as CSV")
    if head.startswith(WORKBOOK_HEADS):
        # A workbook by any name; decoding it as latin-1 would even succeed.
        raise InputError(
            f"{path} is an Excel workbook or another archive, not text: save it as CSV"
        )


@contextlib.contextmanager
def _opened(path: Path, encoding: str, newline: str) -> Iterator[IO[str]]:
    """The file as text; a clear error where it cannot be opened or decoded."""
    # Spreadsheets put a byte-order mark in front of UTF-8; it is no part of the first name.
    codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    try:
        with path.open(encoding=codec, newline=newline) as file:
            yield file
    except UnicodeError as error:
        if isinstance(error, UnicodeDecodeError):
            what = f"is not {encoding} at byte {_bad_byte(path, codec)}"
        else:  # codecs that do not say where, such as UTF-16 of a file without a byte-order mark
            what = f"cannot be read as {encoding} ({_one_line(error)})"
        raise InputError(
            f"{path} {what}: save it as UTF-8, or say how it is written with --encoding (cp1252 "
            "and latin-1 are common)"
        ) from None


def csv_reader(file: Iterable[str], delimiter: str = ",") -> Any:
    """A reader of CSV that takes cells of any length and forgives no stray quote."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a C long, which has 32 bits on Windows
    return csv.reader(file, delimiter=delimiter, strict=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _bad_byte(path: Path, codec: str) -> int:
    """Offset of the first byte that cannot be decoded."""
    decoder = codecs.getincrementaldecoder(codec)()
    n_read = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeError as error:
                # Of longer pieces than before, some codecs no longer say where.
                return n_read - held + (error.start if isinstance(error, UnicodeDecodeError) else 0)
            n_read += len(chunk)
    return n_read


class DelimitedReader:
    """CSV or TSV with a header row; quoted cells may hold line breaks."""

    def __init__(self, path: Path, encoding: str, delimiter: str) -> None:
        self.path, self.encoding, self.delimiter = path, encoding, delimiter
        with self._reader() as reader:
            self.columns: list[str] = next(reader, [])
        if not self.columns:
            raise InputError(f"{path} is empty: it needs a header row with the columns' names")

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Any]:
        with _opened(self.path, self.encoding, newline="") as file:
            reader = csv_reader(file, self.delimiter)
            try:
                yield reader
            except csv.Error as error:
                raise InputError(
                    f"{self.path} cannot be read near line {reader.line_num} ({error}): check the "
                    "quotes there"
                ) from None

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        places = [self.columns.index(name) for name in columns]
        width = len(self.columns)
        with self._reader() as reader:
            next(reader)
            number = 0
            for cells in reader:
                if not cells and width > 1:
                    continue  # a blank line, as at the end of many files
                number += 1
                cells = cells or [""]
                if len(cells) != width:
                    raise InputError(
                        f"{self.path} has {len(cells)} cells in row {number} (line "
                        f"{reader.line_num}) and {width} in its header: quote cells that hold a "
                        f"{'comma' if self.delimiter == ',' else 'tab'} or a line break"
                    )
                yield number, tuple(cells[place] for place in places)


class JsonLinesReader:
    """One JSON object a line; a name that is absent is a missing cell."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path, self.encoding = path, encoding
        first = next(self._objects(), None)
        if first is None:
            raise InputError(f"{path} is empty: it needs one JSON object a line")
        self.columns = list(first[1])

    def _objects(self) -> Iterator[tuple[int, dict[str, object]]]:
        number = 0
        with _opened(self.path, self.encoding, newline="\n") as file:
            for line_number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                number += 1
                try:
                    value = json.loads(line)
                except ValueError as error:
                    raise InputError(
                        f"{self.path} holds no JSON in line {line_number} ({error}): each line "
                        "must be one object"
                    ) from None
                except RecursionError:
                    raise InputError(
                        f"{self.path} holds brackets within brackets too deep to be read in line "
                        f"{line_number}: each line must be one object"
                    ) from None
                if not isinstance(value, dict):
                    raise InputError(
                        f"{self.path} holds no object in line {line_number}: each line must be "
                        'one, such as {"text": "…", "target": 1.5}'
                    )
                yield number, value

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        for number, value in self._objects():
            yield number, tuple(value.get(name) for name in columns)


class ParquetReader:
    """A Parquet file, a batch of rows at a time."""

    def __init__(self, path: Path) -> None:
        from pyarrow.parquet import ParquetFile

        self.path = path
        with self._reading():
            self._file = ParquetFile(path)
            self.columns = list(self._file.schema_arrow.names)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """A clear error where the file cannot be read, or holds what Python has no value for."""
        from pyarrow import ArrowException

        try:
            yield
        except (ArrowException, OSError, OverflowError, ValueError) as error:
            raise InputError(
                f"{self.path} is no Parquet file that can be read ({_one_line(error)}): write it "
                "anew"
            ) from None

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        number = 0
        wanted = list(dict.fromkeys(columns))
        with self._reading():
            for batch in self._file.iter_batches(batch_size=4096, columns=wanted):
                cells = [self._cells(batch, name) for name in columns]
                for row in zip(*cells, strict=True):
                    number += 1
                    yield number, row

    def _cells(self, batch: Any, name: str) -> list[object]:
        try:
            cells: list[object] = batch.column(name).to_pylist()
        except UnicodeDecodeError:  # Arrow does not look into strings when it reads them
            raise InputError(
                f"{self.path} has a string that is not UTF-8 in column {name!r}: write it anew as "
                "UTF-8"
            ) from None
        return cells


class LinesReader:
    """Plain text, one text a line, in a column named ``text``."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path, self.encoding = path, encoding
        self.columns = ["text"]

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        with _opened(self.path, self.encoding, newline="\n") as file:
            for number, line in enumerate(_lines(file), 1):
                yield number, (line,) * len(columns)


def _lines(file: Iterable[str]) -> Iterator[str]:
    """Lines without their ends; these are bare CRs where there is no LF in the whole file."""
    for number, line in enumerate(file):
        if number == 0 and not line.endswith("\n"):
            yield from line.removesuffix("\r").split("\r")
        else:
            yield line.removesuffix("\n").removesuffix("\r")


#: Format name -> what makes its reader. The name is also the file ending.
READERS: dict[str, Callable[[Path, str], Reader]] = {
    "csv": lambda path, encoding: DelimitedReader(path, encoding, ","),
    "tsv": lambda path, encoding: DelimitedReader(path, encoding, "\t"),
    "jsonl": JsonLinesReader,
    "parquet": lambda path, encoding: ParquetReader(path),
    "txt": LinesReader,
}
