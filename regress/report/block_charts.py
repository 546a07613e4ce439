"""Charts of single blocks: RMSE over layer and pooling."""

from __future__ import annotations

import altair as alt

from regress.report.figure import (
    ROW,
    Figure,
    chart_of,
    named,
    number,
)
from regress.report.heatmap import HeatMap, decimals


def heat_map_figure(heat_map: HeatMap, several_banks: bool) -> Figure:
    low, high = heat_map.limits
    places = decimals(low)
    middle = (low + high) / 2
    rows = [
        {
            "layer": layer,
            "pooling": pooling,
            "rmse": cell.entry.scores.rmse,
            "shown": f"{cell.entry.scores.rmse:.{places}f}"
            + {"best": " ★", "tie": " =", "worse": ""}[cell.verdict],
            "select": cell.entry.select,
            "interval": f"{cell.low:.4g} to {cell.high:.4g}",
            "behind": f"{cell.behind:.4g} ± {cell.behind_se:.2g}",
            "verdict": {"best": "best", "tie": "ties with the best", "worse": "worse"}[
                cell.verdict
            ],
            "dark": cell.entry.scores.rmse > middle,
        }
        for (layer, pooling), cell in heat_map.cells.items()
    ]
    base = chart_of(rows).encode(
        x=alt.X("pooling:N", sort=heat_map.poolings, title=None,
                axis=alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False)),
        y=alt.Y("layer:O", sort=heat_map.layers, title="layer",
                axis=alt.Axis(domain=False, ticks=False)),
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
    ).properties(height=(ROW + 2) * len(heat_map.layers))
    where = f" of {heat_map.bank}" if several_banks else ""
    return Figure(
        f"heat-map-{heat_map.model}" + (f"-{heat_map.bank}" if several_banks else ""),
        f"RMSE by layer and pooling: {heat_map.model}{where}",
        "Nested RMSE of single blocks; bright is better. ★ is the best block of this map, and = "
        "ties with it: their difference on the same texts is within 1.96 of its "
        "paired standard errors. Of many cells, some that are worse look like ties, and "
        "the best of many looks better than it is.",
        chart,
        width=90 * len(heat_map.poolings) + 60,
    )
