"""Small pieces of HTML by which objects show themselves in a notebook.

No script, no style sheet and no class: what a notebook, or a page that shows one, strips. Colours
are the page's own, or come in pairs, so that light and dark pages both do. Every text is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_LINE = "rgba(128,128,128,.35)"

_CELL = (
    "padding:.15em .7em;text-align:{};vertical-align:top;border:0;background:none;color:inherit;{}"
)

#: The colour scale viridis from its bright end, red, green and blue.
VIRIDIS = ((253, 231, 37), (94, 201, 98), (33, 145, 140), (59, 82, 139), (68, 1, 84))


def box(*parts: str) -> str:
    """Pieces below each other, scrolling sideways where the page is narrow."""
    return f'<div style="overflow-x:auto;max-width:100%;font-size:.92em">{"".join(parts)}</div>'


def heading(text: str) -> str:
    """What a piece is about."""
    return f'<div style="font-weight:600;margin:.5em 0 .2em">{escape(text)}</div>'


def note(text: str) -> str:
    """A remark."""
    return f'<div style="opacity:.75;margin:.2em 0 .4em;max-width:60em">{escape(text)}</div>'


def facts(values: Mapping[str, object]) -> str:
    """Names with their values."""
    rows = "".join(
        f'<tr style="background:none"><th style="{_cell("left", "font-weight:400;opacity:.75")}">'
        f'{escape(name)}</th><td style="{_cell("left", "overflow-wrap:anywhere")}">'
        f"{escape(str(value))}</td></tr>"
        for name, value in values.items()
    )
    return (
        f'<table style="border-collapse:collapse;margin:0;border:0"><tbody>{rows}</tbody></table>'
    )


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: frozenset[str] = frozenset(),
    strong: frozenset[int] = frozenset(),
    wide: frozenset[str] = frozenset(),
) -> str:
    """Rows of cells.

    Parameters
    ----------
    left
        Columns that are words, by their heading; the others are set to the right.
    strong
        Numbers of the rows that stand out.
    wide
        Columns of prose, by their heading: narrow pages scroll rather than squeeze them.
    """
    sides = ["left" if name in left else "right" for name in header]
    room = ["min-width:16em;" if name in wide else "white-space:nowrap;" for name in header]
    head = "".join(
        f'<th scope="col" style="{_cell(side, f"border-bottom:1px solid {_LINE}")}">'
        f"{escape(name)}</th>"
        for name, side in zip(header, sides, strict=True)
    )
    body = "".join(
        '<tr style="background:none">'
        + "".join(
            f'<td style="{_cell(side, least + "font-weight:600" * (number in strong))}">'
            f"{escape(cell)}</td>"
            for cell, side, least in zip(row, sides, room, strict=True)
        )
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:0;border:0;'
        f'font-variant-numeric:tabular-nums">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def heat_map(
    columns: Sequence[str], rows: Sequence[tuple[str, Sequence[tuple[str, float] | None]]]
) -> str:
    """Cells on the colour scale.

    Parameters
    ----------
    rows
        Each with its name; a cell is what it shows, and its place on the scale from 0, bright,
        to 1.
    """
    head = "".join(f'<th scope="col" style="{_cell("center")}">{escape(c)}</th>' for c in columns)
    body = "".join(
        f'<tr style="background:none"><th scope="row" style="{_cell("right", "font-weight:400")}">'
        f"{escape(name)}</th>{''.join(map(_shaded, cells))}</tr>"
        for name, cells in rows
    )
    return (
        '<table style="border-collapse:separate;border-spacing:2px;margin:0;border:0;'
        f'font-variant-numeric:tabular-nums"><thead><tr><th style="{_cell("right")}">layer</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def shade(share: float) -> tuple[int, int, int]:
    """A colour of the scale, from 0 to 1."""
    place = min(max(share, 0.0), 1.0) * (len(VIRIDIS) - 1)
    left = min(int(place), len(VIRIDIS) - 2)
    pairs = zip(VIRIDIS[left], VIRIDIS[left + 1], strict=True)
    red, green, blue = (round(a + (b - a) * (place - left)) for a, b in pairs)
    return red, green, blue


def front(share: float) -> str:
    """The colour of letters on a shade."""
    return "#111111" if share < 0.55 else "#ffffff"


def bar(value: float, limit: float) -> str:
    """A bar from the middle, to the right for what is above 0 and to the left for what is below."""
    width = 0.0 if limit <= 0 else min(abs(value) / limit, 1.0) * 50
    left, colour = (50.0, "#3a8f5c") if value >= 0 else (50 - width, "#c2543d")
    return (
        '<div style="position:relative;width:9em;height:.8em;background:rgba(128,128,128,.15)">'
        f'<div style="position:absolute;left:{left:.1f}%;width:{width:.1f}%;height:100%;'
        f'background:{colour}"></div></div>'
    )


def _shaded(cell: tuple[str, float] | None) -> str:
    if cell is None:
        return f'<td style="{_cell("center")}"></td>'
    shown, share = cell
    colour = f"background:rgb{shade(share)};color:{front(share)}"
    style = f"padding:.15em .7em;text-align:center;border:0;border-radius:2px;{colour}"
    return f'<td style="{style}">{escape(shown)}</td>'


def _cell(side: str, more: str = "") -> str:
    return _CELL.format(side, more)
