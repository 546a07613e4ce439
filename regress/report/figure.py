"""A figure, and the parts that the charts share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import altair as alt

BLUE, ORANGE, GREY = "#4189cf", "#e8871e", "#8a8f98"

#: Pixels for each row of a chart with rows.
ROW = 22

Row = dict[str, Any]
AnyChart: TypeAlias = alt.Chart | alt.LayerChart | alt.FacetChart


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart with what stands around it.

    Attributes
    ----------
    name
        Of its files and of its place in the page.
    title, caption
        What it shows, and how to read it.
    chart
        Without a size: page and files give one.
    needs_points
        Whether it draws the data set ``points`` (`Contents.points`).
    width
        Pixels that it wants.
    """

    name: str
    title: str
    caption: str
    chart: AnyChart
    needs_points: bool = False
    width: int = 520


def chart_of(rows: Sequence[Row]) -> alt.Chart:
    """A chart that brings its own few rows along."""
    return alt.Chart(alt.InlineData(values=[*rows]))


def axis(field: str, title: str) -> dict[str, Any]:
    """Options of a position that does not start at zero."""
    return {"shorthand": f"{field}:Q", "title": title, "scale": alt.Scale(zero=False)}


def named(field: str, title: str | None = None) -> alt.Tooltip:
    """A word or a text that hovering shows."""
    return alt.Tooltip(f"{field}:N", title=title or field)


def number(field: str, title: str | None = None) -> alt.Tooltip:
    """A number that hovering shows, to four digits."""
    return alt.Tooltip(f"{field}:Q", title=title or field, format=".4~g")


def count(field: str, title: str | None = None) -> alt.Tooltip:
    """A whole number that hovering shows."""
    return alt.Tooltip(f"{field}:Q", title=title or field, format=",d")
