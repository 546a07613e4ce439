"""How far runs are behind the best of them: a table, a small chart, and the chart as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
from rich.text import Text

from features.console.show import number_of, printable
from features.console.tables import aligned, in_lines, plain_table
from regress.evaluation.leaderboard import Standing
from regress.report.figure import BLUE, GREY, ORANGE, ROW, Figure, chart_of, named, number
from regress.report.tables import LEGEND, STYLES

#: Columns of a run's name in the table and beside the chart, and of the chart, all of 80.
NAME, SHORT, CHART = 30, 28, 50


def comparison_text(standings: Sequence[Standing], baseline: Standing) -> Text:
    """Runs with their RMSE and how far they are behind the best, each ± its standard error."""
    table = plain_table()
    for name in ("RMSE", "± se", "", "behind", "± se"):
        table.add_column(name, justify="right")
    table.add_column("run")
    shown = number_of(standings[0].row.scores.rmse)
    for standing in [*standings, baseline]:
        scores, behind = standing.row.scores, standing.behind
        apart = ["", ""]
        if standing.verdict != "best":
            apart = [shown(behind.value), shown(behind.se)]
        label = in_lines(printable(standing.row.label), NAME)
        cells = [shown(scores.rmse), shown(scores.se), standing.mark, *apart, label]
        dim = standing is baseline
        table.add_row(*map(Text, cells), style="dim" if dim else STYLES.get(standing.verdict, ""))
    text = aligned(table).append(f"\n{LEGEND}\n\n", "dim")
    return text.append_text(_chart(standings))


def _chart(standings: Sequence[Standing]) -> Text:
    """A line for each run: its distance from the best with the 95 % interval."""
    low = min(0.0, *(standing.behind.low for standing in standings))
    high = max(standing.behind.high for standing in standings)
    span = high - low or 1.0

    def place(value: float) -> int:
        return round((value - low) / span * (CHART - 1))

    title = "behind the best, with the 95 % interval of the difference\n"
    text = Text.assemble((title, "dim"))
    for standing in standings:
        cells = [" "] * CHART
        cells[place(0.0)] = "│"
        first, last = place(standing.behind.low), place(standing.behind.high)
        if standing.verdict == "best":
            cells[place(0.0)] = "★"
        else:
            cells[first : last + 1] = "─" * (last + 1 - first)
            cells[first], cells[last] = "├", "┤"
            cells[place(standing.behind.value)] = "●"
        name = printable(standing.row.label)
        short = name if len(name) <= SHORT else f"{name[: SHORT - 1]}…"
        style = STYLES.get(standing.verdict, "")
        text.append(f"{short:<{SHORT}}  {''.join(cells).rstrip()}\n", style)
    ends = [*map(number_of(standings[0].row.scores.rmse), (low, high))]
    line = ends[0] + ends[1].rjust(CHART - len(ends[0]))
    return text.append(f"{'':<{SHORT}}  {line}", "dim")


def comparison_figure(target: str, standings: Sequence[Standing]) -> Figure:
    """The same as a picture."""
    rows = [
        {
            "run": standing.row.label,
            "behind": standing.behind.value,
            "low": standing.behind.low,
            "high": standing.behind.high,
            "rmse": standing.row.scores.rmse,
            "shown": f"{standing.row.scores.rmse:.4f} {standing.mark}".rstrip(),
            "worse": standing.verdict == "worse",
        }
        for standing in standings
    ]
    base = chart_of(rows).encode(
        y=alt.Y("run:N", sort=None, title=None, axis=alt.Axis(labelLimit=320)),
        color=alt.when("datum.worse").then(alt.value(BLUE)).otherwise(alt.value(ORANGE)),
        tooltip=[named("run"), number("rmse", "RMSE"), number("behind", "behind the best")],
    )
    title = "RMSE behind the best"
    zero = chart_of([{"behind": 0.0}]).mark_rule(color=GREY, strokeDash=[4, 4])
    chart = alt.layer(
        zero.encode(x=alt.X("behind:Q", title=title)),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title), x2="high:Q"),
        base.mark_circle(size=70, opacity=1).encode(x=alt.X("behind:Q", title=title)),
        base.mark_text(dy=-9, fontSize=10).encode(x=alt.X("behind:Q", title=title), text="shown:N"),
    ).properties(height=(ROW + 10) * len(rows))
    caption = "The difference on the same texts, with its 95 % interval."
    return Figure("comparison", f"{target}: runs against the best", caption, chart)
