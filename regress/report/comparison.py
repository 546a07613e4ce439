"""How far each entry is from the best one, and whether that could be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from regress.metrics import Vector
from regress.report.entries import Entry

#: Standard errors on either side of a 95 % interval.
Z95 = 1.96

Verdict = Literal["best", "tie", "worse"]


@dataclass(frozen=True, eq=False)
class Standing:
    """An entry beside the best of those it was compared with.

    Attributes
    ----------
    entry
        What was scored.
    low, high
        95 % confidence interval of its RMSE, in units of the target.
    behind, behind_se
        Its RMSE less the best's, and the standard error of that difference.
    verdict
        ``"best"``, ``"tie"`` where the 95 % interval of the difference holds 0, or ``"worse"``.
    """

    entry: Entry
    low: float
    high: float
    behind: float
    behind_se: float
    verdict: Verdict


def standings(
    y: Vector,
    entries: Sequence[Entry],
    units: NDArray[np.int64] | None = None,
    weights: Vector | None = None,
) -> list[Standing]:
    """Entries of one target, the lowest RMSE first, each against the first.

    Parameters
    ----------
    y
        Shape (n_samples,).
    units, weights
        As `paired_standard_error`.
    """
    ordered = sorted(entries, key=lambda entry: entry.scores.rmse)
    return [_standing(y, entry, ordered[0], units, weights) for entry in ordered]


def paired_standard_error(
    y: Vector,
    predicted: Vector,
    best: Vector,
    units: NDArray[np.int64] | None = None,
    weights: Vector | None = None,
) -> float:
    """Standard error of the difference between two RMSEs on the same rows.

    By the delta method, as `regress.metrics.rmse_standard_error`: a row adds
    ``e1^2 / (2 RMSE1) - e2^2 / (2 RMSE2)`` to the difference, with the errors e1 and e2. What both
    predictions miss alike cancels, so that this is much smaller than either RMSE's own standard
    error.

    Parameters
    ----------
    units
        Shape (n_samples,), from 0: rows that are no independent witnesses, such as copies of a
        text or a group; None for each row by itself.
    weights
        Shape (n_samples,): how much each row counts; None for all alike.
    """
    w = np.ones(len(y)) if weights is None else weights
    of_row = _influence(y, predicted, w) - _influence(y, best, w)
    centred = w * (of_row - float(of_row @ w) / float(w.sum()))
    of_unit = centred if units is None else np.bincount(units, weights=centred)
    n_units = len(of_unit)
    if n_units < 2:
        return 0.0
    return math.sqrt(float(of_unit @ of_unit) * n_units / (n_units - 1)) / float(w.sum())


def _influence(y: Vector, predicted: Vector, weights: Vector) -> Vector:
    squared = (y - predicted) ** 2
    rmse = math.sqrt(float(squared @ weights) / float(weights.sum()))
    return squared / (2 * rmse) if rmse > 0 else squared


def _standing(
    y: Vector,
    entry: Entry,
    best: Entry,
    units: NDArray[np.int64] | None,
    weights: Vector | None,
) -> Standing:
    rmse, se = entry.scores.rmse, entry.scores.se
    behind = rmse - best.scores.rmse
    behind_se = paired_standard_error(y, entry.predictions, best.predictions, units, weights)
    verdict: Verdict = "tie" if behind <= Z95 * behind_se else "worse"
    return Standing(
        entry=entry,
        low=max(rmse - Z95 * se, 0.0),
        high=rmse + Z95 * se,
        behind=behind,
        behind_se=behind_se,
        verdict="best" if entry is best else verdict,
    )
