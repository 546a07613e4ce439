"""Charts of results: which is best, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import altair as alt

from regress.report.comparison import Z95, Standing
from regress.report.contents import one_line
from regress.report.figure import (
    BLUE,
    GREY,
    ORANGE,
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

#: Results in the leaderboard's chart, and in that of the folds.
MAX_BARS, MAX_STRIPS = 20, 8
#: What the two colours of the leaderboard say.
VERDICTS = ("best, or ties with it", "worse")


def leaderboard_figure(standings: Sequence[Standing]) -> Figure:
    shown = standings[:MAX_BARS]
    rows = [
        {
            "result": one.entry.label,
            "rmse": one.entry.scores.rmse,
            "low": one.low,
            "high": one.high,
            "behind": one.behind,
            "verdict": VERDICTS[one.verdict == "worse"],
        }
        for one in shown
    ]
    base = chart_of(rows).encode(
        y=alt.Y("result:N", sort=None, title=None),
        color=alt.Color("verdict:N", legend=alt.Legend(orient="top", title=None),
                        scale=alt.Scale(domain=[*VERDICTS], range=[ORANGE, BLUE])),
        tooltip=[named("result"), number("rmse", "RMSE"), number("low", "95 % from"),
                 number("high", "to"), number("behind", "behind the best")],
    )  # fmt: skip
    x = alt.X(**axis("low", "RMSE"))
    chart = alt.layer(
        base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q"),
        base.mark_circle(size=70, opacity=1).encode(x=alt.X("rmse:Q", title="RMSE")),
    ).properties(height=ROW * len(rows))
    first = f"The {MAX_BARS} best of {len(standings)}. " if len(standings) > MAX_BARS else ""
    return Figure(
        "leaderboard",
        "Leaderboard",
        f"{first}Nested RMSE with its 95 % confidence interval. Whether a result ties with the "
        "best is decided by their difference on the same texts, so intervals may overlap where "
        "there is no tie.",
        chart,
    )


def folds_figure(standings: Sequence[Standing]) -> Figure:
    shown = standings[:MAX_STRIPS]
    rows = [
        {"result": one.entry.label, "fold": fold, "rmse": value, "overall": one.entry.scores.rmse}
        for one in shown
        for fold, value in enumerate(one.entry.fold_rmse, start=1)
    ]
    base = chart_of(rows).encode(
        y=alt.Y("result:N", sort=None, title=None),
        tooltip=[named("result"), count("fold"), number("rmse", "RMSE of the fold"),
                 number("overall", "RMSE of all")],
    )  # fmt: skip
    x = alt.X(**axis("rmse", "RMSE"))
    chart = alt.layer(
        base.mark_tick(color=ORANGE, thickness=2, size=16).encode(
            x=alt.X("overall:Q", title="RMSE")
        ),
        base.mark_circle(color=BLUE, size=60, opacity=0.8).encode(x=x),
    ).properties(height=ROW * len(shown))
    caption = "A dot is the RMSE of one outer fold, the orange tick that of all texts."
    return Figure("fold-scores", "Fold scores", caption, chart)


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


def weights_figure(weights: Sequence[tuple[str, float]]) -> Figure:
    rows = [{"name": name, "weight": weight} for name, weight in weights]
    bars = chart_of(rows).mark_bar(color=BLUE, cornerRadius=2, height={"band": 0.6})
    chart = bars.encode(
        y=alt.Y("name:N", sort=None, title=None),
        x=alt.X("weight:Q", title="weight"),
        tooltip=[named("name", "member"), number("weight")],
    ).properties(height=ROW * len(rows))
    caption = (
        "How much each member's prediction counts. Members that say nearly the same share their "
        "weight, and how is little more than chance."
    )
    return Figure("weights", "Weights of the members", caption, chart)


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


def _with_limits(parts: Sequence[Share] | Sequence[Point]) -> list[Row]:
    return [
        {
            **asdict(part),
            "low": max(part.rmse - Z95 * part.se, 0),
            "high": part.rmse + Z95 * part.se,
        }
        for part in parts
    ]
