"""The leaderboard: what was scored, and how far each row is behind the best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from features.console.stand_ins import showable
from features.selection import Block, ResolvedTerm
from regress.compute.arrays import Matrix, Rows, spread, weights_of
from regress.data.folds import Folds
from regress.data.task import Task
from regress.evaluation.metrics import (
    Z95,
    Difference,
    Scores,
    Vector,
    mean_scores,
    paired_standard_error,
    rmse_by_fold,
    score,
)

#: Kinds of rows that are a regressor on a selection. The others search, so that what they select
#: differs from fold to fold.
CANDIDATES = frozenset({"result", "block", "combination"})

Verdict = Literal["best", "tie", "worse", "better"]


class Scored(Protocol):
    """Predictions of one target, with their scores."""

    @property
    def scores(self) -> Scores:
        """Nested scores."""
        ...

    def splits(self) -> Matrix:
        """Predictions of each split, shape (n_splits, n_samples)."""
        ...


@dataclass(frozen=True, eq=False)
class LeaderboardRow:
    """Something that was scored on every text.

    Attributes
    ----------
    kind
        ``"result"`` of `evaluate`, or a blend's member; in a sweep ``"block"``,
        ``"combination"``, ``"greedy"`` (the forward search, repeated inside the folds), and
        ``"auto"`` or such as ``"auto svr"`` (the choice of selection, regressor and setting,
        likewise); ``"blend"``; and ``"baseline"``, which is never among the rows that are ranked.
    model, select
        Regressor and selection; of a search, what it finds on all rows.
    terms, n_columns
        The selection's blocks, empty where the banks are not at hand, and its columns.
    scores
        Nested scores; means over splits, where there are several.
    naive_rmse
        What the same folds give when they choose and score.
    fold_rmse
        RMSE of each fold of the first split.
    predictions, repeats
        Nested out-of-fold predictions, shape (n_samples,): of the first split, and of each
        further one. NaN where a row lacks the target.
    params, seconds
        The setting over all folds, and the time it took, where these are known.
    name
        What it is called, where that is not said by the others.
    """

    kind: str
    model: str
    select: str
    terms: tuple[ResolvedTerm, ...]
    n_columns: int
    scores: Scores
    naive_rmse: float
    fold_rmse: Sequence[float]
    predictions: Vector
    repeats: Sequence[Vector] = ()
    params: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    name: str = ""

    def __repr__(self) -> str:
        return showable(
            f"<LeaderboardRow {self.label}: RMSE {self.scores.rmse:.4f} ± {self.scores.se:.4f}>"
        )

    @property
    def label(self) -> str:
        """What it is called within its target: ``ridge mean[-1]``, or ``auto (svr mean[:])``."""
        if self.name:
            return self.name
        candidate = f"{self.model} {self.select}"
        return candidate if self.kind in CANDIDATES else f"{self.kind} ({candidate})"

    @property
    def single_block(self) -> tuple[str, Block] | None:
        """The bank's name and the block of a candidate whose selection is just one."""
        if self.kind not in CANDIDATES or len(self.terms) != 1 or len(self.terms[0].blocks) != 1:
            return None
        return self.terms[0].bank, self.terms[0].blocks[0]

    def splits(self) -> Matrix:
        """Predictions of each split, shape (n_splits, n_samples)."""
        return np.stack([self.predictions, *self.repeats])

    def spread(self, rows: Rows | None, n_samples: int) -> LeaderboardRow:
        """The same among more rows; see `regress.compute.arrays.spread`."""
        return replace(
            self,
            predictions=spread(self.predictions, rows, n_samples),
            repeats=[spread(repeat, rows, n_samples) for repeat in self.repeats],
        )


def leaderboard_row(
    kind: str,
    model: str,
    select: str,
    terms: tuple[ResolvedTerm, ...],
    n_columns: int,
    *,
    task: Task,
    target: int,
    folds: Folds,
    predictions: Sequence[Vector],
    naive_rmse: float,
    params: Mapping[str, float],
    name: str = "",
) -> LeaderboardRow:
    """Score predictions of one target, given for each split; `folds` are those of the first."""
    rows = task.known(target)
    y, weights = task.Y[rows, target], weights_of(task.weights, rows)
    first, *repeats = predictions
    return LeaderboardRow(
        kind, model, select, terms, n_columns,
        scores=mean_scores([score(y, split[rows], weights) for split in predictions]),
        naive_rmse=naive_rmse,
        fold_rmse=rmse_by_fold(y, first[rows], folds.numbers[rows], weights),
        predictions=first, repeats=repeats, params=params, name=name,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Standing:
    """A row beside the best of those it was compared with.

    Attributes
    ----------
    row
        What was scored.
    behind
        Its RMSE less the best's.
    verdict
        ``"best"``; ``"tie"`` where the 95 % interval of the difference holds 0; or ``"worse"``.
        Only the baseline, which is not ranked, can be ``"better"``.
    """

    row: LeaderboardRow
    behind: Difference
    verdict: Verdict

    @property
    def low(self) -> float:
        """Lower end of the 95 % confidence interval of its RMSE, in units of the target."""
        return max(self.row.scores.rmse - Z95 * self.row.scores.se, 0.0)

    @property
    def high(self) -> float:
        """Upper end of it."""
        return self.row.scores.rmse + Z95 * self.row.scores.se

    @property
    def mark(self) -> str:
        """What stands behind its RMSE in drawings and tables."""
        return {"best": "★", "tie": "="}.get(self.verdict, "")

    def as_dict(self) -> dict[str, Any]:
        """Plain data: a row of ``leaderboard.csv``."""
        row = self.row
        return {
            "rmse": row.scores.rmse,
            "se": row.scores.se,
            "r2": row.scores.r2,
            "kind": row.kind,
            "model": row.model,
            "select": row.select,
            "columns": row.n_columns,
            "mae": row.scores.mae,
            "pearson": row.scores.pearson,
            "spearman": row.scores.spearman,
            "naive_rmse": row.naive_rmse,
            "behind": self.behind.value,
            "behind_low": self.behind.low,
            "behind_high": self.behind.high,
            "ties": self.behind.ties,
        }


def standings(
    y: Vector,
    rows: Sequence[LeaderboardRow],
    units: NDArray[np.int64] | None = None,
    weights: Vector | None = None,
) -> list[Standing]:
    """Rows of one target, the lowest RMSE first, each against the first.

    Parameters
    ----------
    y
        Shape (n_samples,); rows where it is NaN do not count.
    units, weights
        As `paired_standard_error`.
    """
    ordered = sorted(rows, key=lambda row: row.scores.rmse)
    return [standing(y, row, ordered[0], units, weights) for row in ordered]


def behind(
    y: Vector,
    row: Scored,
    other: Scored,
    units: NDArray[np.int64] | None = None,
    weights: Vector | None = None,
) -> Difference:
    """How far one is above another in RMSE; parameters are those of `standings`."""
    known = np.flatnonzero(~np.isnan(y))
    if units is not None:  # without gaps, since their number counts
        units = np.unique(units[known], return_inverse=True)[1]
    return Difference(
        row.scores.rmse - other.scores.rmse,
        paired_standard_error(
            y[known], row.splits()[:, known], other.splits()[:, known], units,
            weights_of(weights, known),
        ),
    )  # fmt: skip


def standing(
    y: Vector,
    row: LeaderboardRow,
    best: LeaderboardRow,
    units: NDArray[np.int64] | None = None,
    weights: Vector | None = None,
) -> Standing:
    """One row against the best of others; parameters as `standings`."""
    difference = behind(y, row, best, units, weights)
    verdict: Verdict = "tie" if difference.ties else "worse" if difference.value > 0 else "better"
    return Standing(row, difference, "best" if row is best else verdict)
