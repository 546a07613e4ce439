"""What a blend is: for each target the weights of its bases, and the scores of weighting them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.console.stand_ins import showable
from features.selection import ResolvedTerm
from regress.blend.bases import BlendBase
from regress.blend.weights import Weights
from regress.compute.arrays import Matrix
from regress.evaluation.metrics import Scores
from regress.evaluation.oof import labelled
from regress.evaluation.results import Repeat
from regress.models.ensembles import Base, BlendModel
from regress.runs.run import Run

#: What its scores are scores of.
HONEST = "honest: weights fitted on bases that were refitted without the scored fold"
STACKED = "stacked on out-of-fold predictions: bases are not refitted inside the outer folds"

#: The blend's name among models.
MODEL = "blend"


@dataclass(frozen=True, eq=False)
class Blended:
    """A blend of one target.

    Attributes
    ----------
    target, bases, weights
        What is blended, and how much of each, fitted on all rows.
    predictions, scores, fold_rmse
        Nested, as `label` says. With several splits into folds, scores are means, and
        predictions and `fold_rmse` are those of the first.
    repeats
        Predictions and scores on the other splits.
    naive_rmse
        Of weights that were fitted on the rows they are scored on.
    best
        The lowest nested RMSE among the bases.
    label
        `HONEST` or `STACKED`.
    """

    target: str
    bases: Sequence[BlendBase]
    weights: Weights
    predictions: Matrix
    scores: Scores
    fold_rmse: list[float]
    naive_rmse: float
    best: float
    label: str
    repeats: Sequence[Repeat] = ()

    @property
    def select(self) -> str:
        """The selections of all bases, each once."""
        return "+".join(dict.fromkeys(base.saved.select for base in self.bases))

    @property
    def terms(self) -> tuple[ResolvedTerm, ...]:
        """The blocks of all bases; those of one selection, which several may have, stand once."""
        selections = dict.fromkeys(base.terms for base in self.bases)
        return tuple(term for terms in selections for term in terms)

    @property
    def named_weights(self) -> dict[str, float]:
        """The weight of each base, by name."""
        names = [base.name for base in self.bases]
        return dict(zip(names, self.weights.values.tolist(), strict=True))

    def model(self, banks: Mapping[str, Mapping[str, Any]]) -> tuple[BlendModel, int]:
        """The blend as one model on its bases' columns side by side, and their number."""
        columns: dict[tuple[ResolvedTerm, ...], tuple[int, int]] = {}
        stop, bases = 0, []
        for base in self.bases:
            if base.terms not in columns:
                start, stop = stop, stop + sum(_width(term, banks) for term in base.terms)
                columns[base.terms] = (start, stop)
            bases.append(Base(base.saved.model, base.saved.fitted, *columns[base.terms]))
        return BlendModel(bases, self.weights.values, self.weights.intercept), stop


@dataclass(frozen=True, eq=False)
class Blend:
    """Runs that were blended: everything that a run folder of their own takes.

    Attributes
    ----------
    runs, method
        What was blended, and how.
    banks
        As a run describes them, each under a name of its own.
    table
        Columns of the first run's ``oof.csv``.
    targets
        The blend of each target.
    """

    runs: Sequence[Run]
    banks: list[dict[str, Any]]
    table: Mapping[str, Sequence[str]]
    targets: list[Blended]
    method: str

    def __repr__(self) -> str:
        scores = [f"{blended.target!r} RMSE {blended.scores.rmse:.4f}" for blended in self.targets]
        return showable(f"<Blend of {len(self.runs)} runs by {self.method}: {', '.join(scores)}>")

    def column(self, blended: Blended) -> str:
        """The column of ``oof.csv`` that holds the predictions for a target."""
        return labelled(MODEL, blended.target, self.runs[0].targets)


def _width(term: ResolvedTerm, banks: Mapping[str, Mapping[str, Any]]) -> int:
    return int(banks[term.bank]["setup"]["hidden_size"]) * term.n_parts
