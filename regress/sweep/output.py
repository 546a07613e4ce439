"""What ``layerbank sweep`` prints: a sentence for people, JSON for programs."""

from __future__ import annotations

import json
import math
from typing import Any

from regress.evaluation.lines import as_row
from regress.evaluation.notes import notes
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
    folds = swept.folds
    report = {
        "run": run,
        "n_texts": len(folds),
        "folds": {
            "scheme": folds.scheme,
            "n_folds": folds.n_folds,
            "hash": folds.digest,
            "repeats": [{"seed": split.seed, "hash": split.digest} for split in swept.repeats],
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
        "leaderboard": leaderboard_json(swept),
    }
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)


def leaderboard_json(swept: Sweep) -> list[dict[str, Any]]:
    """The rows of the leaderboard as plain data, without numbers that JSON lacks."""
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in {"target": target, **as_row(one)}.items()
        }
        for target, leaders in swept.leaders.items()
        for one in leaders
    ]
