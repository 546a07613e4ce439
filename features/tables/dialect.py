"""How cells stand in a delimited file: what is between them, and what a quote in them means."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: What the `csv` module is told of each quoting.
_QUOTINGS: dict[str, dict[str, Any]] = {
    "double": {"quotechar": '"'},
    "single": {"quotechar": "'"},
    "backslash": {"quotechar": '"', "doublequote": False, "escapechar": "\\"},
    "none": {"quoting": csv.QUOTE_NONE},
}

#: A whole cell in quotes, by quoting; in `_INNER`, what only a writer that quotes puts into one.
_QUOTED = {
    "double": re.compile(r'"(?:[^"]|"")*"', re.DOTALL),
    "single": re.compile(r"'(?:[^']|'')*'", re.DOTALL),
    "backslash": re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL),
}
_INNER = {"double": '""', "single": "''", "backslash": r"\""}

#: Cells that writers leave without quotes in a column of quoted ones.
_BARE = frozenset({"", "NA", "NaN", "nan", "NULL", "null", r"\N"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a delimited file is written in.

    Parameters
    ----------
    delimiter
        One character.
    quoting
        One of `features.tables.reading.QUOTINGS`.
    n_before
        Lines before the first row.
    given
        Whether the user said the quoting, and so answers for it.
    settled
        Whether quotes were seen where it was chosen.
    """

    delimiter: str
    quoting: str
    n_before: int = 0
    given: bool = False
    settled: bool = False

    def reader(self, lines: Iterable[str]) -> Any:
        """A reader of the `csv` module: cells of any length, and no stray quote forgiven."""
        if self.quoting == "backslash":
            lines = map(self._kept, lines)
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a C long, of 32 bits on Windows
        return csv.reader(lines, delimiter=self.delimiter, strict=True, **_QUOTINGS[self.quoting])

    def _kept(self, line: str) -> str:
        """A line whose backslashes before ordinary characters stay: ``\\alpha`` is text."""
        ordinary = rf'\\(?:(["\\\r\n{re.escape(self.delimiter)}])|)'
        return re.sub(ordinary, lambda found: found[0] if found[1] else "\\\\", line)


def default_quoting(delimiter: str) -> str:
    """What a quote means where nothing else shows it: text, where tabs or bars part the cells."""
    return "none" if delimiter in "\t|" else "double"


def is_quoted(cell: str, quoting: str) -> bool:
    """Whether a raw cell is one in quotes, from end to end."""
    return _QUOTED[quoting].fullmatch(cell) is not None


def has_inner(cell: str, quoting: str) -> bool:
    """Whether a raw cell is in quotes and has one more inside, as only such a writer puts it."""
    return is_quoted(cell, quoting) and _INNER[quoting] in cell[1:-1]


def plainly_quoted(rows: Sequence[Sequence[str]], quoting: str) -> bool:
    """Whether a writer that quotes made these cells, raw as they stand.

    Such a writer puts every cell that holds a quote into quotes, and others in quotes only with
    their whole column. The first row is the header.
    """
    strict = quoting != "single"  # an apostrophe needs no quotes around it
    in_quotes = False
    for header, *cells in zip(*rows, strict=True):
        quoted = [cell for cell in cells if is_quoted(cell, quoting)]
        if strict and any('"' in c and not is_quoted(c, quoting) for c in (header, *cells)):
            return False
        shown = strict and any(has_inner(cell, quoting) for cell in quoted)
        whole = all(is_quoted(cell, quoting) or cell in _BARE for cell in cells)
        enough = len(quoted) > 1 or is_quoted(header, quoting)
        if quoted and not shown and not (whole and enough):
            return False
        in_quotes = in_quotes or bool(quoted) or is_quoted(header, quoting)
    return in_quotes


def well_formed(text: str, delimiter: str, quoting: str, *, whole: bool) -> bool:
    """Whether every quote of a text is where a writer that quotes this way puts one.

    Parameters
    ----------
    quoting
        ``double``, ``single`` or ``backslash``. Backslashes must be where such a writer puts them
        as well: before a quote, a delimiter, a line break or another one.
    whole
        Whether the text is all there is; else its last cell may be cut off.
    """
    part = re.escape(delimiter)
    if quoting != "backslash":
        quote = "'" if quoting == "single" else '"'
        cell = rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote}|[^{quote}{part}\r\n]*"
    else:
        escaped = rf'\\["\\{part}\r\n]'
        cell = rf'"(?:[^"\\]|{escaped})*"|(?:[^"\\{part}\r\n]|{escaped})*'
    pattern = re.compile(rf"(?:{cell})(?:{part}|\r\n|\r|\n|\Z)")
    at = 0
    while at < len(text):
        found = pattern.match(text, at)
        if found is None:
            return not whole and at > len(text) * 3 // 4
        at = found.end()
    return True
