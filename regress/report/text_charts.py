"""Charts of texts: how far each is from its prediction."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from features.console.show import one_line
from regress.evaluation.metrics import Z95
from regress.report.contents import Contents
from regress.report.figure import (
    BLUE,
    GREY,
    ORANGE,
    Figure,
    Row,
    axis,
    chart_of,
    count,
    named,
    number,
)

#: Distinct values, such as grades, that are not put together into tenths.
MAX_VALUES = 12


def predicted_figure(contents: Contents) -> Figure:
    target = one_line(contents.target)
    both = np.concatenate([contents.y, contents.predicted])
    low, high = float(both.min()), float(both.max())
    line = chart_of([{"value": low}, {"value": high}]).mark_line(color=GREY, strokeDash=[4, 4])
    chart = alt.layer(
        _points(contents).encode(
            x=alt.X(**axis("predicted", "predicted")),
            y=alt.Y(**axis("true", target)),
        ),
        line.encode(x=alt.X("value:Q", title="predicted"), y=alt.Y("value:Q", title=target)),
    ).properties(height=360)
    return Figure(
        "predicted-against-true",
        "Predicted against true",
        f"Each text of {_drawn(contents)}, predicted by {contents.best.label} fitted "
        "without its fold. On the dashed line, the prediction is right.",
        chart,
        needs_points=True,
    )


def residuals_by_length_figure(contents: Contents) -> Figure:
    return _residuals(
        contents,
        "length",
        contents.lengths,
        f"length in {contents.length_name}",
        f"True less predicted; {_drawn(contents)}. The orange line is the mean of each tenth of "
        "the texts by length, with its 95 % interval: away from zero, texts of this length are "
        "rated too low (above) or too high (below).",
    )


def residuals_by_target_figure(contents: Contents) -> Figure:
    return _residuals(
        contents,
        "true",
        contents.y,
        one_line(contents.target),
        "True less predicted. A rising line is what every regressor does that is not sure: "
        "it draws extreme texts towards the mean.",
    )


def _residuals(
    contents: Contents, field: str, values: NDArray[Any], title: str, caption: str
) -> Figure:
    x = alt.X(**axis(field, title))
    y = alt.Y("residual:Q", title="true - predicted")
    low = alt.Y("low:Q", title="true - predicted")
    bins = _tenths(values, contents.residuals, field)
    line = chart_of(bins).encode(x=x, tooltip=[
        number(field, title), number("residual", "mean residual"), count("n", "texts")
    ])  # fmt: skip
    zero = chart_of([{"residual": 0}]).mark_rule(color=GREY, strokeDash=[4, 4])
    chart = alt.layer(
        zero.encode(y=y),
        _points(contents).encode(x=x, y=y),
        line.mark_rule(color=ORANGE, strokeWidth=2).encode(y=low, y2="high:Q"),
        line.mark_line(color=ORANGE, strokeWidth=2, point={"color": ORANGE}).encode(y=y),
    ).properties(height=300)
    name = "length" if field == "length" else "target"
    return Figure(f"residuals-by-{name}", f"Residuals against {name}", caption, chart, True)


def _points(contents: Contents) -> alt.Chart:
    tooltip = [named("id", one_line(contents.id_name)), number("true", one_line(contents.target)),
               number("predicted"), number("residual", "true - predicted"),
               count("fold")]  # fmt: skip
    if contents.length_name:
        tooltip.append(count("length", contents.length_name))
    if contents.grouped:
        tooltip.append(named("group"))
    chart = alt.Chart(alt.NamedData(name="points"), name="texts")
    dots: alt.Chart = chart.mark_circle(
        aria=False, color=BLUE, size=28, opacity=0.5 if len(contents.drawn) < 1000 else 0.3
    )
    return dots.encode(tooltip=[*tooltip, named("text")])


def _tenths(values: NDArray[Any], residuals: NDArray[np.float64], field: str) -> list[Row]:
    """Mean residual of each tenth of the rows by value, or of each value where these are few."""
    distinct, tenth = np.unique(values, return_inverse=True)
    if len(distinct) > MAX_VALUES:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, 11)))
        tenth = np.searchsorted(edges[1:-1], values, side="right")
    rows = []
    for part in np.unique(tenth):
        inside = residuals[tenth == part]
        mean = float(inside.mean())
        half = Z95 * float(inside.std(ddof=1)) / math.sqrt(len(inside)) if len(inside) > 1 else 0.0
        middle = float(values[tenth == part].mean())
        rows.append({field: middle, "residual": mean, "low": mean - half, "high": mean + half,
                     "n": len(inside)})  # fmt: skip
    return rows


def _drawn(contents: Contents) -> str:
    if len(contents.drawn) == len(contents.y):
        return f"all {len(contents.y)} texts"
    return f"{len(contents.drawn)} texts, drawn at random from {len(contents.y)}"
