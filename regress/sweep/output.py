"""What ``layerbank sweep`` prints: a sentence for people, JSON for programs."""

from __future__ import annotations

from regress.runs.format import as_json, report_head
from regress.sweep.results import Sweep


def headline(swept: Sweep, target: str) -> str:
    """The procedure's honest score beside the winner's flattering one, in a sentence."""
    auto = next(r for r in swept.results if r.target == target and swept.label(r).endswith("auto"))
    return (
        f"auto: nested RMSE {auto.scores.rmse:.4f} ± {auto.scores.se:.4f} (R² "
        f"{auto.scores.r2:.3f}) for the whole procedure, chosen without the fold it is scored on; "
        f"its winner on all rows is {auto.model} {auto.select} (naive CV RMSE "
        f"{auto.naive_rmse:.4f}); folds {swept.folds.short}"
    )


def sweep_json(swept: Sweep, run: str) -> str:
    """The leaderboard and the procedures' scores for programs."""
    results = [
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
    ]
    head = report_head(swept, run)
    return as_json({**head, "results": results, "leaderboard": swept.leaderboard_rows()})
