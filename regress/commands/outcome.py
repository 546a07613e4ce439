"""What ``layerbank fit`` says at its end: how good, compared with what, and what next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from regress.commands.making import predict_next
from regress.evaluation.results import Result
from regress.report.files import REPORT
from regress.runs.format import results_json
from regress.sweep.output import sweep_json
from regress.sweep.results import AutoResult, Sweep

if TYPE_CHECKING:
    from regress.experiment import Experiment


def outcome(found: Experiment, out: Path) -> Iterator[str]:
    """Three lines a target, the page, and the next command."""
    for target in found.task.target_names:
        best = next(result for result in found.results if result.target == target)
        of = f" for {target}" if len(found.task.target_names) > 1 else ""
        scores, mean = best.scores, found.baseline(target).row.scores
        yield f"score     RMSE {scores.rmse:.4f} ± {scores.se:.4f}{of}, {_whose(best)}"
        yield f"baseline  RMSE {mean.rmse:.4f} for predicting the mean"
        yield f"best      {best.model} on {best.select}"
    page = out / REPORT
    yield f"report    {page if page.is_file() else f'layerbank report {out}'}"
    yield f"next      {predict_next(out)}"


def as_programs_read(found: Experiment, out: Path) -> str:
    """The same as JSON."""
    if isinstance(found, Sweep):
        return sweep_json(found, str(out))
    return results_json(found, str(out))


def _whose(best: Result) -> str:
    searched = "found" if isinstance(best, AutoResult) else "tuned and fitted"
    return f"each fold predicted by what was {searched} without it"
