"""Results as tables of a terminal: coloured there, plain text on a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from features.console.app import on_stdout
from features.console.tables import aligned, plain_table
from regress.evaluation.leaderboard import CANDIDATES, Standing, Verdict
from regress.report.heat_maps import show_heat_maps

if TYPE_CHECKING:
    from regress.evaluation.results import Results

#: Rows of a leaderboard that are shown, beside those of searches.
SHOWN = 15

#: What stands above the fields of `Scores`.
SCORES = ("RMSE", "± se", "MAE", "R²", "Pearson", "Spearman")

#: The best in bold, and what ties with it in the same green.
STYLES: Mapping[Verdict, str] = {"best": "bold green", "tie": "green", "worse": ""}


def show_results(experiment: Results, *, quiet: bool = False) -> None:
    """Print the table of results on stdout and, unless quiet, the heat maps.

    Colours are left out where stdout is no terminal, or the variable ``NO_COLOR`` is set.
    """
    on_stdout(results_text(experiment))
    if not quiet:
        show_heat_maps(experiment)


def results_text(experiment: Results) -> Text:
    """Every result, by target and best first, under the folds it was scored on and the notes."""
    from regress.evaluation.notes import notes

    targets = experiment.task.target_names
    first = 0 if len(targets) > 1 else 1  # where there is one target, no column says so
    table = _table(
        ["target", "select", "model"][first:], [*SCORES, "naive RMSE", "seconds"], "chosen"
    )
    for target in targets:
        for standing in experiment.standings(target):
            row = standing.row
            numbers = [*asdict(row.scores).values(), row.naive_rmse]
            seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
            cells = [target, row.select, row.model][first:] + [f"{n:.4f}" for n in numbers]
            _add(table, [*cells, seconds, setting_text(row.params) or "by fold"], standing)
    folds = experiment.folds
    seed = "" if folds.labels else f"seed {folds.seed}, "
    what = (
        f"{len(folds)} texts, {folds.n_folds} {folds.scheme} folds ({seed}hash {folds.short}); "
        "nested scores: each fold by a model that was chosen and fitted without it"
    )
    head = Text("\n".join([what, *notes(experiment), "", ""]), "dim")
    return Text.assemble(head, aligned(table))


def leaderboard_text(standings: Sequence[Standing]) -> Text:
    """The first rows of a sweep's leaderboard, and every search, which is in italics."""
    numbers = ["nested RMSE", "± se", "naive RMSE", "behind", "95 % interval"]
    table = _table([""], numbers, "")
    kept = [
        standing
        for number, standing in enumerate(standings)
        if number < SHOWN or standing.row.kind not in CANDIDATES
    ]
    for standing in kept:
        row, behind = standing.row, standing.behind
        cells = [row.label, *(f"{n:.4f}" for n in (row.scores.rmse, row.scores.se, row.naive_rmse))]
        if standing.verdict == "best":
            cells += ["", "", "best"]
        else:
            ties = "ties" if standing.verdict == "tie" else ""
            cells += [f"{behind.value:.4f}", f"{behind.low:.4f} to {behind.high:.4f}", ties]
        _add(table, cells, standing)
    text = aligned(table)
    if rest := len(standings) - len(kept):
        text.append(f"\nand {rest} more, in leaderboard.csv", "dim")
    return text


def setting_text(params: Mapping[str, object]) -> str:
    """A setting in a few words: ``alpha 31.6, …``."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, (int, float)) else f"{name} {value}"
        for name, value in params.items()
    )


def _table(words: Sequence[str], numbers: Sequence[str], last: str) -> Table:
    """Columns of words, of numbers, and a last one of words."""
    table = plain_table()
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    table.add_column(last)
    return table


def _add(table: Table, cells: Sequence[str], standing: Standing) -> None:
    # As texts: names may hold square brackets, which would be taken for markup.
    italic = " italic" * (standing.row.kind not in CANDIDATES)
    style = (STYLES[standing.verdict] + italic).strip()
    table.add_row(*map(Text, cells), style=style)
