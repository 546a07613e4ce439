"""How far each result is from the best one, and whether that could be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from regress.metrics import Vector
from regress.results import Result

#: Standard errors on either side of a 95 % interval.
Z95 = 1.96

Verdict = Literal["best", "tie", "worse"]


@dataclass(frozen=True, eq=False)
class Standing:
    """A result beside the best of those it was compared with.

    Attributes
    ----------
    result
        The result.
    low, high
        95 % confidence interval of its RMSE, in units of the target.
    behind, behind_se
        Its RMSE less the best's, and the standard error of that difference.
    verdict
        ``"best"``, ``"tie"`` where the 95 % interval of the difference holds 0, or ``"worse"``.
    """

    result: Result
    low: float
    high: float
    behind: float
    behind_se: float
    verdict: Verdict

    @property
    def label(self) -> str:
        """What the result is called within its target: ``ridge mean[-1]``."""
        return f"{self.result.model} {self.result.select}"


def standings(y: Vector, results: Sequence[Result]) -> list[Standing]:
    """Results of one target, the lowest RMSE first, each against the first."""
    ordered = sorted(results, key=lambda result: result.scores.rmse)
    return [_standing(y, result, ordered[0]) for result in ordered]


def paired_standard_error(y: Vector, predicted: Vector, best: Vector) -> float:
    """Standard error of the difference between two RMSEs on the same rows.

    By the delta method, as `regress.metrics.rmse_standard_error`: a row adds
    ``e1^2 / (2 RMSE1) - e2^2 / (2 RMSE2)`` to the difference, with the errors e1 and e2. What both
    predictions miss alike cancels, so that this is much smaller than either RMSE's own standard
    error. Rows count as independent.
    """
    if len(y) < 2:
        return 0.0
    of_row = _influence(y, predicted) - _influence(y, best)
    return float(np.std(of_row, ddof=1)) / math.sqrt(len(y))


def _influence(y: Vector, predicted: Vector) -> Vector:
    squared = (y - predicted) ** 2
    rmse = math.sqrt(float(squared.mean()))
    return squared / (2 * rmse) if rmse > 0 else squared


def _standing(y: Vector, result: Result, best: Result) -> Standing:
    rmse, se = result.scores.rmse, result.scores.se
    behind = rmse - best.scores.rmse
    behind_se = paired_standard_error(y, result.predictions, best.predictions)
    verdict: Verdict = "tie" if behind <= Z95 * behind_se else "worse"
    return Standing(
        result=result,
        low=max(rmse - Z95 * se, 0.0),
        high=rmse + Z95 * se,
        behind=behind,
        behind_se=behind_se,
        verdict="best" if result is best else verdict,
    )
