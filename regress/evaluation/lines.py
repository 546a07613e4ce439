"""How far each entry is from the best one, and whether that could be chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.selection import Block, ResolvedTerm
from regress.compute.arrays import Matrix
from regress.evaluation.metrics import (
    Z95,
    Difference,
    Scores,
    Vector,
    against_best,
    mean_scores,
    paired_standard_error,
    score,
)

#: Lines of one cell; the others are searches, whose selection differs from fold to fold.
KINDS = ("block", "combination")


#: Lines that are shown on a terminal, beside those of searches.
SHOWN = 15


@dataclass(frozen=True, eq=False)
class Leader:
    """A line of the leaderboard.

    Attributes
    ----------
    kind
        ``"block"``, ``"combination"``, ``"greedy"`` (the forward search, repeated inside the
        folds) or ``"auto"`` (the choice of selection, regressor and setting, likewise).
    model, select
        Regressor and selection; of a search, what it finds on all rows.
    n_columns
        Columns of the selection.
    scores
        Nested scores; means over divisions into folds, where there are several.
    naive_rmse
        What the same folds give when they choose and score.
    predictions
        Shape (n_samples,): nested out-of-fold predictions.
    difference
        From the best line.
    repeats
        The same predictions on further divisions into folds.
    """

    kind: str
    model: str
    select: str
    n_columns: int
    scores: Scores
    naive_rmse: float
    predictions: Matrix
    difference: Difference
    repeats: tuple[Matrix, ...] = ()

    def __repr__(self) -> str:
        return f"<Leader {self.label}: RMSE {self.scores.rmse:.4f} ± {self.scores.se:.4f}>"

    @property
    def label(self) -> str:
        """What it is called: ``ridge mean[-1]``, or ``auto (svr mean[:])``."""
        name = f"{self.model} {self.select}"
        return name if self.kind in KINDS else f"{self.kind} ({name})"


def leader(
    kind: str,
    model: str,
    select: str,
    n_columns: int,
    *,
    y: Matrix,
    weights: Matrix | None,
    predictions: Sequence[Matrix],
    naive_rmse: float,
) -> Leader:
    """A line, not yet compared with the others; with predictions of each division into folds."""
    nothing = Difference(0.0, 0.0, 0.0, True)
    scores = mean_scores([score(y, of, weights) for of in predictions])
    first, *others = predictions
    return Leader(kind, model, select, n_columns, scores, naive_rmse, first, nothing,
                  tuple(others))  # fmt: skip


def ranked(
    leaders: Sequence[Leader],
    y: Matrix,
    units: NDArray[np.int64] | None = None,
    weights: Matrix | None = None,
) -> list[Leader]:
    """Lowest nested RMSE first, each compared with the first."""
    ordered = sorted(leaders, key=lambda one: one.scores.rmse)
    squared = np.stack([(np.stack([one.predictions, *one.repeats]) - y) ** 2 for one in ordered])
    compared = zip(ordered, against_best(squared, units, weights), strict=True)
    return [replace(one, difference=difference) for one, difference in compared]


def as_row(one: Leader) -> dict[str, Any]:
    """A line as plain data."""
    return {
        "kind": one.kind,
        "model": one.model,
        "select": one.select,
        "columns": one.n_columns,
        "rmse": one.scores.rmse,
        "se": one.scores.se,
        "r2": one.scores.r2,
        "pearson": one.scores.pearson,
        "spearman": one.scores.spearman,
        "naive_rmse": one.naive_rmse,
        "behind": one.difference.behind,
        "behind_low": one.difference.low,
        "behind_high": one.difference.high,
        "ties": one.difference.ties,
    }


#: Lines of a sweep that are a regressor on a selection, and no search among these.
CELLS = ("block", "combination")


@dataclass(frozen=True, eq=False)
class Entry:
    """Something that was scored on every text.

    Attributes
    ----------
    kind
        ``"result"``, or in a sweep the kind of a `regress.leaders.Leader`.
    model, select, n_columns
        Regressor, selection and its columns.
    scores, naive_rmse, fold_rmse, predictions
        As in `regress.results.Result`.
    bank_block
        The bank's name and the block, where the selection is a single one.
    params, seconds
        The setting over all folds, and the time it took, where these are known.
    name
        What it is called, where that is not said by the others.
    """

    kind: str
    model: str
    select: str
    n_columns: int
    scores: Scores
    naive_rmse: float
    fold_rmse: list[float]
    predictions: Vector
    bank_block: tuple[str, Block] | None
    params: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """What it is called within its target: ``ridge mean[-1]``, ``auto (svr mean[:])``."""
        if self.name:
            return self.name
        name = f"{self.model} {self.select}"
        return name if self.kind in ("result", *CELLS) else f"{self.kind} ({name})"


def _single(terms: tuple[ResolvedTerm, ...]) -> tuple[str, Block] | None:
    if len(terms) != 1 or len(terms[0].blocks) != 1:
        return None
    return terms[0].bank, terms[0].blocks[0]


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
