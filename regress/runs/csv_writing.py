"""CSV as runs write it: every line ends in one line feed, whatever stands in its cells."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    import pandas as pd


def write_rows(file: TextIO, rows: Iterable[Sequence[object]]) -> None:
    """Write CSV; cells are quoted where they have to be, which those with any end of line have."""
    csv.writer(_Lines(file), lineterminator=_Lines.END).writerows(rows)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, quoted as in `write_rows`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = cast(TextIO, _Lines(file))  # pandas does nothing but write to it
        frame.to_csv(lines, index=False, lineterminator=_Lines.END)


class _Lines:
    r"""Takes lines that end in ``\r\n`` from a csv writer, and ends them in ``\n``.

    Up to Python 3.12 the writer quotes no other ends of lines than its own: with ``\n`` alone, a
    cell that holds a bare ``\r`` would be read as two rows.
    """

    END = "\r\n"

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> int:
        return self._file.write(line.removesuffix(self.END) + "\n")
