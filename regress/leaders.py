"""A sweep's leaderboard: what was tried, how it scored, and what cannot be told from the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regress.compare import Difference, against_best
from regress.metrics import Scores, mean_scores, score
from regress.model import Matrix

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


def leaderboard_text(leaders: Sequence[Leader], *, shown: int = SHOWN) -> str:
    """The first lines, aligned, and every line of a search."""
    kept = [one for at, one in enumerate(leaders) if at < shown or one.kind not in KINDS]
    cells = [["", "nested RMSE", "± se", "naive RMSE", "behind", "95 % interval", ""]]
    for one in kept:
        d = one.difference
        best = d.behind == 0
        cells.append(
            [
                one.label,
                f"{one.scores.rmse:.4f}",
                f"{one.scores.se:.4f}",
                f"{one.naive_rmse:.4f}",
                "" if best else f"{d.behind:.4f}",
                "" if best else f"{d.low:.4f} to {d.high:.4f}",
                "best" if best else "ties" if d.ties else "",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at in (0, 6) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    rest = len(leaders) - len(kept)
    return "\n".join([*lines, *([f"and {rest} more, in leaderboard.csv"] if rest else [])])
