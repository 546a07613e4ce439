"""Results as text: the table on a terminal, and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from features.console.app import _console
from regress.evaluation.lines import KINDS, SHOWN, Leader, Verdict
from regress.evaluation.notes import notes
from regress.evaluation.results import Results, _compare, entries, table_row
from regress.report.heat_maps import show_heat_maps


def leaderboard_text(leaders: Sequence[Leader], *, shown: int = SHOWN) -> str:
    """The first lines, aligned, and every line of a search."""
    kept = [one for at, one in enumerate(leaders) if at < shown or one.kind not in KINDS]
    cells = [["", "nested RMSE", "± se", "naive RMSE", "behind", "95 % interval", ""]]
    for one in kept:
        d = one.difference
        best = d.behind == 0
        cells.append(
            [
                one.label,
                f"{one.scores.rmse:.4f}",
                f"{one.scores.se:.4f}",
                f"{one.naive_rmse:.4f}",
                "" if best else f"{d.behind:.4f}",
                "" if best else f"{d.low:.4f} to {d.high:.4f}",
                "best" if best else "ties" if d.ties else "",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at in (0, 6) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    rest = len(leaders) - len(kept)
    return "\n".join([*lines, *([f"and {rest} more, in leaderboard.csv"] if rest else [])])


def show_results(experiment: Results, *, quiet: bool = False) -> None:
    """Print the table of results on stdout and, unless quiet, the heat maps.

    Colours are left out where stdout is no terminal, or the variable ``NO_COLOR`` is set.
    """
    _console().print(leaderboard(experiment))
    if not quiet:
        show_heat_maps(experiment)


def leaderboard(experiment: Results) -> Text:
    """The table of results with the best in bold, and what ties with it in the same green."""
    verdicts = {
        (target, one.entry.model, one.entry.select): one.verdict
        for target in experiment.task.target_names
        for one in _compare(experiment, target)(entries(experiment, target))
    }
    styles: dict[Verdict, str] = {"best": "bold green", "tie": "green", "worse": ""}
    lines = text_table(experiment).splitlines()
    first = len(lines) - len(experiment.results)
    text = Text()
    for number, line in enumerate(lines):
        style = "bold" if number == first - 1 else "dim"
        if number >= first:
            one = experiment.results[number - first]
            style = styles[verdicts[one.target, one.model, one.select]]
        text.append(line, style).append("\n" if number + 1 < len(lines) else "")
    return text


def leaders_text(leaders: Sequence[Leader]) -> Text:
    """A sweep's leaderboard, coloured as `leaderboard` is; procedures, which search, in italics."""
    lines = leaderboard_text(leaders).splitlines()
    kept = [one for at, one in enumerate(leaders) if at < SHOWN or one.kind not in KINDS]
    text = Text()
    for number, line in enumerate(lines):
        style = "bold" if number == 0 else "dim"
        if 0 < number <= len(kept):
            difference = kept[number - 1].difference
            style = "bold green" if difference.behind == 0 else "green" * difference.ties
            style += " italic" * (kept[number - 1].kind not in KINDS)
        text.append(line, style.strip()).append("\n" if number + 1 < len(lines) else "")
    return text


#: Columns of the table, with what stands above them.
HEADINGS = {
    "target": "target",
    "select": "select",
    "model": "model",
    "rmse": "RMSE",
    "se": "± se",
    "mae": "MAE",
    "r2": "R²",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "naive_rmse": "naive RMSE",
    "seconds": "seconds",
    "params": "chosen",
}


LEFT = frozenset({"target", "select", "model", "params"})


def text_table(experiment: Results) -> str:
    """The table, by target and best first, in aligned columns, under the folds it was scored on."""
    rows = [table_row(result) for result in experiment.results]
    shown = [name for name in HEADINGS if name != "target" or len(experiment.task.target_names) > 1]
    cells = [[HEADINGS[name] for name in shown]]
    cells += [[_cell(name, row[name]) for name in shown] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if name in LEFT else cell.rjust(width)
            for name, cell, width in zip(shown, line, widths, strict=True)
        ).rstrip()
        for line in cells
    ]
    folds = experiment.folds
    seed = "" if folds.labels else f"seed {folds.seed}, "
    what = (
        f"{len(folds)} texts, {folds.n_folds} {folds.scheme} folds ({seed}hash "
        f"{folds.short}); nested scores: each fold by a model that was chosen and fitted without it"
    )
    return "\n".join([what, *notes(experiment), "", *lines])


def json_report(experiment: Results, run: str) -> str:
    """The same for programs."""
    folds = experiment.folds
    report = {
        "run": run,
        "n_texts": len(folds),
        "folds": {
            "scheme": folds.scheme,
            "n_folds": folds.n_folds,
            "hash": folds.digest,
            "repeats": [{"seed": of.seed, "hash": of.digest} for of in experiment.repeats],
        },
        "notes": notes(experiment),
        "results": [
            {name: _finite(value) for name, value in table_row(result).items()}
            for result in experiment.results
        ],
    }
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        if not value:
            return "by fold"
        return ", ".join(f"{key} {number:.4g}" for key, number in value.items())
    if isinstance(value, float):
        return f"{value:.1f}" if name == "seconds" else f"{value:.4f}"
    return str(value)
