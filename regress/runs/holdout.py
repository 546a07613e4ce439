"""How good predictions of new texts are, where their file says what they should have been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.keys import Text, text_keys
from features.tables.cells import finite_number
from regress.evaluation.metrics import Scores, score
from regress.report.shares import Share, shares_by
from regress.runs.folder import RunFolder


@dataclass(frozen=True)
class HoldOut:
    """Scores of one target on texts that the run was not trained on.

    Attributes
    ----------
    target
        Its name.
    n_texts, n_trained_on
        Rows that were scored, and rows with a number that were not, since the run was trained on
        their texts.
    promised
        The nested scores that the run gave itself.
    scores
        None where no row is left to score.
    by
        RMSE by what stands in further columns.
    """

    target: str
    n_texts: int
    n_trained_on: int
    promised: Mapping[str, float]
    scores: Scores | None
    by: Mapping[str, Sequence[Share]]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        by = {name: [asdict(share) for share in shares] for name, shares in self.by.items()}
        scores = None if self.scores is None else asdict(self.scores)
        return {**vars(self), "promised": dict(self.promised), "scores": scores, "by": by}

    def lines(self) -> Iterator[str]:
        """The same for people."""
        seen = f"{self.n_trained_on:,} texts the run was trained on"
        if self.scores is None:
            yield f"{self.target}: no score, since the file holds only {seen}"
            return
        promised = f"{self.promised['rmse']:.4f} ± {self.promised['se']:.4f}"
        left_out = f"; {seen} are left out" if self.n_trained_on else ""
        yield (
            f"{self.target}: RMSE {self.scores.rmse:.4f} ± {self.scores.se:.4f} on "
            f"{self.n_texts:,} new texts, where the run promised {promised}{left_out}"
        )
        for column, shares in self.by.items():
            for share in shares:
                yield (
                    f"  {column} {share.name}: RMSE {share.rmse:.4f} ± {share.se:.4f} on "
                    f"{share.n_texts:,}"
                )


def held_out(
    run: RunFolder,
    texts: Sequence[Text],
    predicted: NDArray[np.float64],
    cells: Mapping[str, Sequence[str]],
    by: Sequence[str],
    promised: Mapping[str, Mapping[str, float]],
) -> list[HoldOut]:
    """Score each target that the file holds numbers of.

    Parameters
    ----------
    predicted
        Shape (n_texts,) or (n_texts, n_targets).
    cells
        Cells of the file's columns: of targets, and of those in `by`.
    promised
        The scores of each target's model.
    """
    columns = predicted.reshape(len(predicted), -1).T
    trained_on = _trained_on(run, texts)
    found = []
    for target, values in zip(run.targets, columns, strict=True):
        if target not in cells:
            continue
        y = np.array([finite_number(cell) for cell in cells[target]])
        known = ~np.isnan(y)
        rows = np.flatnonzero(known & ~trained_on)
        if not known.any():
            continue
        parts = {
            name: shares_by(y[rows], values[rows], [cells[name][row] for row in rows.tolist()])
            for name in (by if len(rows) else ())
        }
        found.append(
            HoldOut(
                target, len(rows), int((known & trained_on).sum()), promised[target],
                score(y[rows], values[rows]) if len(rows) else None, parts,
            )
        )  # fmt: skip
    return found


def _trained_on(run: RunFolder, texts: Sequence[Text]) -> NDArray[np.bool_]:
    """Whether the run was trained on each text; nowhere, for runs that do not keep their keys."""
    known = {bytes(key) for key in run.training_keys()}
    return np.array([bytes(key) in known for key in text_keys(texts)], bool)
