"""The figures of a report, in Vega-Lite's grammar of graphics."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from regress.evaluation.leaderboard import Standing
from regress.report.contents import Contents
from regress.report.figure import (
    BLUE,
    ORANGE,
    ROW,
    Figure,
    axis,
    chart_of,
    count,
    named,
    number,
)
from regress.report.heat_maps import HeatMap, decimals
from regress.report.part_charts import by_figure, groups_figure, learning_figure
from regress.report.text_charts import (
    predicted_figure,
    residuals_by_length_figure,
    residuals_by_target_figure,
)

#: Results in the leaderboard's chart, and in that of the folds.
MAX_BARS, MAX_STRIPS = 20, 8

#: What the two colours of the leaderboard say.
VERDICTS = ("best, or ties with it", "worse")


def figures(contents: Contents) -> list[Figure]:
    """Every figure that a target has data for, in the order of the page."""
    several = len({heat_map.bank for heat_map in contents.heat_maps}) > 1
    found = [leaderboard_figure(contents.standings)]
    if contents.weights:
        found.append(weights_figure(contents.weights))
    found += [heat_map_figure(heat_map, several) for heat_map in contents.heat_maps]
    found.append(predicted_figure(contents))
    if contents.length_name:
        found.append(residuals_by_length_figure(contents))
    found += [
        residuals_by_target_figure(contents),
        folds_figure(contents.standings),
    ]
    if contents.groups:
        found.append(groups_figure(contents.groups, contents.best.scores.rmse))
    for place, (column, parts) in enumerate(contents.by.items(), start=1):
        found.append(by_figure(place, column, parts, contents.best.scores.rmse))
    if contents.curve is not None:
        found.append(learning_figure(contents.curve))
    return found


def heat_map_figure(heat_map: HeatMap, several_banks: bool) -> Figure:
    low, high = heat_map.limits
    places = decimals(low)
    middle = (low + high) / 2
    rows = [
        {
            "layer": layer,
            "pooling": pooling,
            "rmse": cell.row.scores.rmse,
            "shown": f"{cell.row.scores.rmse:.{places}f} {cell.mark}".rstrip(),
            "select": cell.row.select,
            "interval": f"{cell.low:.4g} to {cell.high:.4g}",
            "behind": f"{cell.behind.value:.4g} ± {cell.behind.se:.2g}",
            "verdict": {"best": "best", "tie": "ties with the best", "worse": "worse"}[
                cell.verdict
            ],
            "dark": cell.row.scores.rmse > middle,
        }
        for (layer, pooling), cell in heat_map.cells.items()
    ]
    base = chart_of(rows).encode(
        x=alt.X("pooling:N", sort=heat_map.poolings, title=None,
                axis=alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False)),
        y=alt.Y("layer:O", sort=heat_map.layers, title="layer",
                axis=alt.Axis(domain=False, ticks=False, titlePadding=8)),
        tooltip=[named("select", "selection"), number("rmse", "RMSE"),
                 named("interval", "95 %"), named("behind", "behind the best"),
                 named("verdict", "verdict")],
    )  # fmt: skip
    colour = alt.Color(
        "rmse:Q",
        scale=alt.Scale(scheme="viridis", reverse=True, domain=[low, high], clamp=True),
        legend=None,
    )
    chart = alt.layer(
        base.mark_rect(cornerRadius=2).encode(color=colour),
        base.mark_text(fontSize=11).encode(
            text="shown:N",
            color=alt.when("datum.dark").then(alt.value("#ffffff")).otherwise(alt.value("#111111")),
        ),
    ).properties(height=max(ROW + 2, min(40, 160 // len(heat_map.layers))) * len(heat_map.layers))
    where = f" of {heat_map.bank}" if several_banks else ""
    return Figure(
        f"heat-map-{heat_map.model}" + (f"-{heat_map.bank}" if several_banks else ""),
        f"RMSE by layer and pooling: {heat_map.model}{where}",
        "Nested RMSE of single blocks; bright is better. ★ is the best block of this map, and = "
        "ties with it: their difference on the same texts is within 1.96 of its "
        "paired standard errors. Of many cells, some that are worse look like ties, and "
        "the best of many looks better than it is.",
        chart,
        width=max(96 * len(heat_map.poolings) + 60, 200),
    )


def leaderboard_figure(standings: Sequence[Standing]) -> Figure:
    shown = standings[:MAX_BARS]
    rows = [
        {
            "result": standing.row.label,
            "rmse": standing.row.scores.rmse,
            "low": standing.low,
            "high": standing.high,
            "behind": standing.behind.value,
            "verdict": VERDICTS[standing.verdict == "worse"],
        }
        for standing in shown
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
        {"result": row.label, "fold": fold, "rmse": value, "overall": row.scores.rmse}
        for row in (standing.row for standing in shown)
        for fold, value in enumerate(row.fold_rmse, start=1)
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
