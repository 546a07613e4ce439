"""Tables on a terminal, as text that no width cuts."""

from __future__ import annotations

import re

from rich.console import Console, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

#: Wider than any table: nothing is cut at the 80 columns that a pipe has.
WIDE = 100_000


def plain_table(*, header: bool = True) -> Table:
    """A table without lines, two blanks between its columns, to which columns are added."""
    return Table(
        box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=header, header_style="bold"
    )


def aligned(table: RenderableType) -> Text:
    """A table as text, each line as long as it needs and without blanks at its end."""
    lines = []
    for segments in Console(width=WIDE).render_lines(table, pad=False):
        line = Text.assemble(*((part.text, part.style or Style.null()) for part in segments))
        line.rstrip()
        lines.append(line)
    return Text("\n").join(lines)


def in_lines(name: str, width: int, behind: str = " +") -> str:
    """A name in lines of at most this many characters, broken behind these ones where it can be.

    >>> in_lines("ridge mean[-1]+max[-1]", 16)
    'ridge mean[-1]+\\nmax[-1]'
    """
    stops = re.escape(behind)
    lines = [""]
    for piece in re.findall(f"[^{stops}]*[{stops}]|[^{stops}]+", name):
        if len(lines[-1]) + len(piece.rstrip()) > width and lines[-1]:
            lines.append("")
        while len(lines[-1]) + len(piece.rstrip()) > width:
            lines[-1:] = [piece[:width], ""]
            piece = piece[width:]
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)
