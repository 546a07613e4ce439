"""Results as tables of a terminal: coloured there, plain text on a pipe, and 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from features.console.app import on_stdout
from features.console.show import number_of, printable
from features.console.tables import aligned, in_lines, plain_table
from regress.evaluation.leaderboard import CANDIDATES, Standing, Verdict
from regress.report.heat_maps import show_heat_maps

if TYPE_CHECKING:
    from regress.evaluation.results import Results

#: Rows of a sweep's leaderboard that are shown, beside those of searches.
SHOWN, SWEPT = 15, frozenset({"block", "combination"})

#: Columns of a table, and of the scores before a name at the most.
TABLE_WIDTH, SCORES_WIDTH = 80, 38

#: The best in bold, and what ties with it in the same green.
STYLES: Mapping[Verdict, str] = {"best": "bold green", "tie": "green"}

LEGEND = "★ best; = ties with it: their difference is within 1.96 paired standard errors"


def show_results(experiment: Results, *, quiet: bool = False) -> None:
    """Print the table of results on stdout and, unless quiet, the heat maps.

    Colours are left out where stdout is no terminal, or the variable ``NO_COLOR`` is set.
    """
    on_stdout(results_text(experiment))
    if not quiet:
        show_heat_maps(experiment)


def results_text(experiment: Results) -> Text:
    """The leaderboard of each target, under the folds it was scored on and the notes."""
    from regress.evaluation.notes import notes

    folds = experiment.folds
    seed = "" if folds.labels else f"seed {folds.seed}, "
    what = (
        f"{len(folds)} texts, {folds.n_folds} {folds.scheme} folds ({seed}hash {folds.short}); "
        "nested scores: each fold by a model that was chosen and fitted without it"
    )
    # As a part: a text's own style would be that of everything that follows.
    text = Text.assemble(("\n".join([what, *notes(experiment)]), "dim"))
    targets = experiment.task.target_names
    for target in targets:
        text.append("\n\n")
        if len(targets) > 1:
            text.append(f"{printable(target)}\n", "bold")
        text.append_text(leaderboard_text(experiment, target))
    return text


def leaderboard_text(experiment: Results, target: str) -> Text:
    """A target's leaderboard and, below it, the baseline.

    Of a sweep's candidates the first rows, and every search, which is in italics.
    """
    ranked = experiment.standings(target)
    kept = [
        standing
        for number, standing in enumerate(ranked)
        if number < SHOWN or standing.row.kind not in SWEPT
    ]
    text = standings_text([*kept, experiment.baseline(target)])
    if rest := len(ranked) - len(kept):
        text.append(f"\nand {rest} more, in leaderboard.csv", "dim")
    return text


def standings_text(standings: Sequence[Standing]) -> Text:
    """RMSE with its standard error, R², and what has that score, a line each."""
    table = plain_table()
    for name in ("RMSE", "± se", "", "R²"):
        table.add_column(name, justify="right")
    table.add_column("result")
    shown = number_of(standings[0].row.scores.rmse)
    for standing in standings:
        row, scores = standing.row, standing.row.scores
        cells = [shown(scores.rmse), shown(scores.se), standing.mark, share(scores.r2)]
        # As texts: names may hold square brackets, which would be taken for markup.
        table.add_row(
            *map(Text, [*cells, in_lines(printable(row.label), TABLE_WIDTH - SCORES_WIDTH)]),
            style=_style(standing),
        )
    return aligned(table).append(f"\n{LEGEND}", "dim")


def share(value: float) -> str:
    """R² or a correlation, where nothing has no sign.

    >>> share(-0.0002), share(-0.01)
    ('0.000', '-0.010')
    """
    return f"{round(value, 3) + 0.0:.3f}"


def _style(standing: Standing) -> str:
    if standing.row.kind == "baseline":
        return "dim"
    italic = " italic" * (standing.row.kind not in CANDIDATES)
    return (STYLES.get(standing.verdict, "") + italic).strip()


def setting_text(params: Mapping[str, object]) -> str:
    """A setting in a few words: ``alpha 31.6, …``."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, (int, float)) else f"{name} {value}"
        for name, value in params.items()
    )
