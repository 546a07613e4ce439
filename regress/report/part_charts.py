"""Charts of parts of the texts: groups, further columns, and ever more training texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import altair as alt

from features.console.show import one_line
from regress.evaluation.metrics import Z95
from regress.report.figure import (
    BLUE,
    GREY,
    ROW,
    AnyChart,
    Figure,
    Row,
    axis,
    chart_of,
    count,
    named,
    number,
)
from regress.report.learning import LearningCurve, Point
from regress.report.shares import Share


def groups_figure(groups: Sequence[Share], overall: float) -> Figure:
    caption = (
        "The best result's RMSE on each of the largest groups, with its 95 % interval; dashed: on "
        "all texts."
    )
    chart = _parts_chart(groups, overall, "group")
    return Figure("groups", "RMSE by group", caption, chart)


def by_figure(number: int, column: str, parts: Sequence[Share], overall: float) -> Figure:
    caption = (
        f"The best result's RMSE by what stands in {column}, with its 95 % interval; dashed: on "
        "all texts. Numbers are divided into fifths of the texts."
    )
    chart = _parts_chart(parts, overall, column)
    return Figure(f"by-{number}", f"RMSE by {column}", caption, chart)


def learning_figure(curve: LearningCurve) -> Figure:
    rows = _with_limits(curve.points)
    x = alt.X("n_texts:Q", title="training texts", scale=alt.Scale(zero=False, nice=False))
    base = chart_of(rows).encode(
        x=x,
        tooltip=[count("n_texts", "training texts"), number("rmse", "RMSE"),
                 number("low", "95 % from"), number("high", "to")],
    )  # fmt: skip
    y = alt.Y(**axis("rmse", "RMSE"))
    chart = alt.layer(
        base.mark_area(color=BLUE, opacity=0.2).encode(y=alt.Y("low:Q", title="RMSE"), y2="high:Q"),
        base.mark_line(color=BLUE, point={"color": BLUE, "size": 60}).encode(y=y),
    ).properties(height=260)
    return Figure(
        "learning-curve",
        "Learning curve",
        f"RMSE of ridge on {curve.select} when it is trained on fewer texts, with its 95 % "
        "interval. Where the line still falls, more texts would help.",
        chart,
    )


def _parts_chart(groups: Sequence[Share], overall: float, what: str) -> AnyChart:
    rows = _with_limits(groups)
    base = chart_of(rows).encode(
        y=alt.Y("name:N", sort=None, title=None),
        tooltip=[named("name", one_line(what)), number("rmse", "RMSE"), count("n_texts", "texts"),
                 number("low", "95 % from"), number("high", "to")],
    )  # fmt: skip
    x = alt.X(**axis("low", "RMSE"))
    rule = chart_of([{"low": overall}]).mark_rule(color=GREY, strokeDash=[4, 4])
    return alt.layer(
        rule.encode(x=x),
        base.mark_rule(color=BLUE, strokeWidth=2).encode(x=x, x2="high:Q"),
        base.mark_circle(color=BLUE, size=70, opacity=1).encode(x=alt.X("rmse:Q", title="RMSE")),
    ).properties(height=ROW * len(rows))


def _with_limits(parts: Sequence[Share] | Sequence[Point]) -> list[Row]:
    return [
        {
            **asdict(part),
            "low": max(part.rmse - Z95 * part.se, 0),
            "high": part.rmse + Z95 * part.se,
        }
        for part in parts
    ]
