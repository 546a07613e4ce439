"""A sweep's run folder: a run like any other, with the leaderboard beside it.

To what `regress.persistence` writes it adds ``leaderboard.csv``, ``inner.npz`` (for each column of
``oof.csv``, shape (n_folds, n_samples): what a blend needs to choose its weights honestly), and in
``run.json`` the object ``sweep``: what its results' scores are scores of, and the leaderboard.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regress.leaders import as_row
from regress.model import save_arrays
from regress.notes import notes
from regress.persistence import INNER, save_run, write_frame
from regress.sweep import AutoResult, Sweep

WHAT = (
    "scores of each result are those of the whole procedure (choice of selection, regressor and "
    "setting, each fold predicted by what was chosen and fitted without it); its model is what the "
    "procedure chose on all rows, refitted on them"
)


def cache_beside(out: Path) -> Path:
    """The folder that keeps the finished parts of the sweep that writes a run folder."""
    return out.with_name(f"{out.name}.parts")


def save_sweep(
    swept: Sweep,
    path: str | Path,
    *,
    force: bool = False,
    source: Mapping[str, Any] | None = None,
    figures: bool = False,
) -> Path:
    """Write the run folder; as `regress.persistence.save_run`."""

    def also(folder: Path) -> Mapping[str, Any]:
        board = swept.leaderboard
        write_frame(board, folder / "leaderboard.csv")
        inner = {
            name: of_division
            for result in swept.results
            if isinstance(result, AutoResult)
            for name, of_division in zip(swept.columns(result), result.inner, strict=True)
        }
        save_arrays(folder / INNER, inner)
        searched = {"scores": WHAT, "n_best": swept.n_best, "greedy": swept.greedy}
        return {"sweep": {**searched, "leaderboard": _lines(swept)}}

    return save_run(swept, path, force=force, source=source, figures=figures, also=also)


def sweep_json(swept: Sweep, run: str) -> str:
    """The leaderboard and the procedures' scores for programs."""
    folds = swept.folds
    report = {
        "run": run,
        "n_texts": len(folds),
        "folds": {
            "scheme": folds.scheme,
            "n_folds": folds.n_folds,
            "hash": folds.digest,
            "repeats": [{"seed": of.seed, "hash": of.digest} for of in swept.repeats],
        },
        "notes": notes(swept),
        "results": [
            {
                "procedure": swept.label(result),
                "target": result.target,
                "model": result.model,
                "select": result.select,
                "rmse": result.scores.rmse,
                "se": result.scores.se,
                "r2": result.scores.r2,
                "naive_rmse": result.naive_rmse,
            }
            for result in swept.results
        ],
        "leaderboard": _lines(swept),
    }
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)


def _lines(swept: Sweep) -> list[dict[str, Any]]:
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in {"target": target, **as_row(one)}.items()
        }
        for target, leaders in swept.leaders.items()
        for one in leaders
    ]
