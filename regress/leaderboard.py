"""Results as text: the table on a terminal, and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from regress.experiment import Experiment, table_row
from regress.notes import notes

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


def text_table(experiment: Experiment) -> str:
    """The table, by target and best first, in aligned columns, under the folds it was scored on."""
    rows = [table_row(result) for result in experiment.results]
    shown = [
        name for name in HEADINGS if name != "target" or len(experiment.design.target_names) > 1
    ]
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


def json_report(experiment: Experiment, run: str) -> str:
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
