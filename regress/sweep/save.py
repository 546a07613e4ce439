"""A sweep's run folder: a run like any other, with the leaderboard beside it.

To what `regress.runs.save` writes it adds ``leaderboard.csv``, ``inner.npz`` (for each column of
``oof.csv``, shape (n_folds, n_samples): what a blend needs to choose its weights honestly), and in
``run.json`` the object ``sweep``: what its results' scores are scores of, and the leaderboard.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regress.models.base import save_arrays
from regress.runs.csv_writing import write_frame
from regress.runs.folder import INNER
from regress.runs.save import save_run
from regress.sweep.results import AutoResult, Sweep

#: What ``run.json`` says of the scores.
WHAT = (
    "scores of each result are those of the whole procedure (choice of selection, regressor and "
    "setting, each fold predicted by what was chosen and fitted without it); its model is what the "
    "procedure chose on all rows, refitted on them"
)


def cache_beside(out: Path) -> Path:
    """The folder that keeps the finished fits of the sweep that writes a run folder."""
    return out.with_name(f"{out.name}.parts")


def save_sweep(
    swept: Sweep,
    path: str | Path,
    *,
    force: bool = False,
    source: Mapping[str, Any] | None = None,
    figures: bool = False,
) -> Path:
    """Write the run folder; parameters and errors are those of `regress.runs.save.save_run`."""

    def also(folder: Path) -> Mapping[str, Any]:
        write_frame(swept.leaderboard, folder / "leaderboard.csv")
        inner = {
            name: predictions
            for result in swept.results
            if isinstance(result, AutoResult)
            for name, predictions in zip(swept.columns(result), result.inner, strict=True)
        }
        save_arrays(folder / INNER, inner)
        searched = {"scores": WHAT, "n_best": swept.n_best, "greedy": swept.greedy}
        return {"sweep": {**searched, "leaderboard": swept.leaderboard_rows()}}

    return save_run(swept, path, force=force, source=source, figures=figures, also=also)
