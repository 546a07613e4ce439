"""The figures of a report, in Vega-Lite's grammar of graphics."""

from __future__ import annotations

from regress.report.block_charts import heat_map_figure
from regress.report.contents import Contents
from regress.report.figure import Figure
from regress.report.result_charts import (
    by_figure,
    folds_figure,
    groups_figure,
    leaderboard_figure,
    learning_figure,
    weights_figure,
)
from regress.report.text_charts import (
    predicted_figure,
    residuals_by_length_figure,
    residuals_by_target_figure,
)


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
    for number, (column, parts) in enumerate(contents.by.items(), start=1):
        found.append(by_figure(number, column, parts, contents.best.scores.rmse))
    if contents.curve is not None:
        found.append(learning_figure(contents.curve))
    return found
