"""The first sheet of an Excel workbook, row by row: values, where cells hold formulas."""

from __future__ import annotations

import contextlib
import logging
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from features.errors import InputError
from features.tables.content import one_line
from features.tables.reader import Row

log = logging.getLogger(__name__)

#: Bytes that a workbook's parts may unpack to, of which its strings are all in memory.
LARGEST = 1 << 30


class ExcelReader:
    """An ``.xlsx`` file; cells have the types that Excel gave them.

    Parameters
    ----------
    path, name
        The file, and what messages call it.
    no_header
        Whether the first row is data.
    """

    def __init__(self, path: Path, name: str, *, no_header: bool = False) -> None:
        self.path, self.name, self.no_header = path, name, no_header
        self._refuse_huge()
        with self._sheet() as (rows, sheets):
            first = next((cells for cells in rows if cells), None)
        if first is None:
            raise InputError(f"{name} has an empty first sheet: put the table there")
        if len(sheets) > 1:
            log.info("%s: of %d sheets, read the first, %r", name, len(sheets), sheets[0])
        n = len(first)
        self.columns = (
            [f"c{i}" for i in range(1, n + 1)]
            if no_header
            else ["" if cell is None else str(cell) for cell in first]
        )

    def all_columns(self) -> list[str]:
        return self.columns

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        places = [self.columns.index(name) for name in columns]
        width = len(self.columns)
        with self._sheet() as (found, _):
            if not self.no_header:
                next((cells for cells in found if cells), None)
            blank = 0
            number = 0
            for cells in found:
                if not cells:
                    blank += 1  # at the end of a sheet they are no rows, between others they are
                    continue
                for _ in range(blank):
                    number += 1
                    yield number, (None,) * len(places)
                blank = 0
                number += 1
                if len(cells) > width:
                    raise InputError(
                        f"{self.name} has {len(cells)} cells in row {number} and {width} in its "
                        "header: give every column a name"
                    )
                cells += [None] * (width - len(cells))
                yield number, tuple(cells[place] for place in places)

    def _refuse_huge(self) -> None:
        try:
            with zipfile.ZipFile(self.path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise self._unreadable(error) from None
        if size > LARGEST:
            raise InputError(
                f"{self.name} unpacks to more than {LARGEST >> 20} MiB: save it as CSV"
            )

    def _unreadable(self, error: Exception) -> InputError:
        why = one_line(error) or type(error).__name__
        return InputError(
            f"{self.name} is no Excel workbook that can be read ({why}): save it as .xlsx or CSV"
        )

    @contextlib.contextmanager
    def _sheet(self) -> Iterator[tuple[Iterator[list[Any]], list[str]]]:
        """The rows of the first sheet without the empty cells at their ends, and all names."""
        try:
            import openpyxl
        except ImportError:
            raise InputError(
                f"{self.name} is an Excel workbook, and openpyxl is not installed: "
                "pip install 'layerbank[excel]', or save it as CSV"
            ) from None
        with self.path.open("rb") as file:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of styles and extensions that hold no values
                    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            except Exception as error:  # whatever a damaged or forged file makes its parser raise
                raise self._unreadable(error) from None
            if not book.worksheets:
                raise InputError(f"{self.name} has no sheet with cells: put the table in one")
            with contextlib.closing(book):
                yield self._cells(book.worksheets[0]), list(book.sheetnames)

    def _cells(self, sheet: Any) -> Iterator[list[Any]]:
        sheet.reset_dimensions()  # what the file says of them may be wrong
        rows = iter(sheet.iter_rows())
        while True:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    row = next(rows, None)
                if row is None:
                    return
                cells = [_value(cell) for cell in row]
            except Exception as error:
                raise self._unreadable(error) from None
            while cells and cells[-1] is None:
                cells.pop()
            yield cells


def _value(cell: Any) -> Any:
    """What a cell holds: nothing where that is an error, such as ``#N/A``."""
    from openpyxl.utils.escape import unescape

    if cell.data_type == "e":
        return None
    value = cell.value
    if isinstance(value, str):
        return unescape(value) or None
    return value
