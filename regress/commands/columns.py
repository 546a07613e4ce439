"""The columns of a file, for somebody who has not said yet which of them counts."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from itertools import islice

from rich.table import Table as RichTable
from rich.text import Text

from features.console.app import on_stdout, program, say_lines
from features.console.show import printable
from features.console.tables import aligned, plain_table
from features.tables.cells import finite_number
from features.tables.labels import is_missing
from features.tables.table import Table

#: Rows that are looked at, and characters that are shown of a cell.
ROWS, SHOWN = 200, 44

#: Names that people give to texts, to what is to be predicted, and to what a row is called.
TEXTS = ("text", "excerpt", "essay", "full_text", "comment", "review", "body", "content")
TARGETS = ("target", "score", "label", "y", "rating", "grade", "readability")
IDS = ("id", "uid", "uuid", "key", "name")


def show_columns(table: Table) -> None:
    """Print each column with an example, and the line to type."""
    names = list(dict.fromkeys(table.columns))
    rows = [cells for _, cells in islice(table.rows(names), ROWS)]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    shown = plain_table()
    for heading in ("column", "holds", "for example"):
        shown.add_column(heading)
    for name, cells in columns.items():
        _add(shown, name, cells)
    say_lines(f"{printable(table.name)} has these columns:\n")
    on_stdout(aligned(shown))
    say_lines("\nSay which holds the texts and which the number to predict:\n")
    say_lines(f"  {line(table.name, columns)}")


def line(path: str, columns: Mapping[str, Sequence[object]]) -> str:
    """The command that these columns make likely; TEXT and TARGET stand for what is unlikely."""
    numbers = [name for name, cells in columns.items() if _kind(cells) == "number"]
    words = [name for name, cells in columns.items() if _kind(cells) in ("text", "word")]
    texts = [name for name in words if name.lower() in TEXTS] or words
    text = max(texts, key=lambda name: _length(columns[name]), default="TEXT")
    ids = [name for name in columns if name.lower() in IDS and name != text]
    others = [name for name in numbers if name not in ids]
    named = [name for name in others if name.lower() in TARGETS]
    target = (named or others or ["TARGET"])[0]
    typed = ["fit", path, "--text", text, "--target", target]
    return f"{program()} {shlex.join([*typed, *(['--id', ids[0]] if ids else [])])}"


def _add(shown: RichTable, name: str, cells: Sequence[object]) -> None:
    example = next((cell for cell in cells if not is_missing(cell)), "")
    words = " ".join(str(example).split())
    cut = words if len(words) <= SHOWN else f"{words[: SHOWN - 1]}…"
    shown.add_row(*map(Text, (printable(name), _kind(cells), printable(cut))))


def _kind(cells: Sequence[object]) -> str:
    """What a column holds, in a word."""
    there = [cell for cell in cells if not is_missing(cell)]
    if not there:
        return "nothing"
    if all(math.isfinite(_number(cell)) for cell in there):
        return "number"
    return "text" if _length(there) >= 20 else "word"


def _number(cell: object) -> float:
    """A cell's number, with a point or a comma; NaN where it holds none."""
    return finite_number(cell.replace(",", ".") if isinstance(cell, str) else cell)


def _length(cells: Sequence[object]) -> float:
    """Mean length of a column's cells, in characters."""
    return sum(len(str(cell)) for cell in cells) / max(1, len(cells))
