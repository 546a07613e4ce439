"""What a report shows of each target, worked out before anything is drawn.

It is plain data, which stands in a run's folder: a report is drawn from that alone, now or later.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.console.show import WHOLE, beginning, shown
from features.errors import LayerbankError
from features.keys import Text
from regress.compute.arrays import weights_of
from regress.evaluation.leaderboard import LeaderboardRow, Standing
from regress.evaluation.metrics import Vector
from regress.evaluation.notes import headline
from regress.report.heat_maps import HeatMap, heat_maps
from regress.report.learning import LearningCurve, learning_curve
from regress.report.shares import Share, shares_by, shares_of

if TYPE_CHECKING:
    from regress.evaluation.results import Results

#: Points that are drawn of a scatter plot; every one is an element of the page.
MAX_POINTS = 3000

#: Texts in the list of worst errors.
N_WORST = 12


@dataclass(frozen=True)
class Quote:
    """A text in the list of worst errors: its id, how it begins, and as much as is shown of it."""

    id: str
    beginning: str
    text: str
    cut: bool


@dataclass(frozen=True, eq=False)
class Contents:
    """One target of an experiment.

    Attributes
    ----------
    target, id_name
        Names of it, and of the texts' ids.
    y, predicted, lengths
        Shape (n_samples,), of the rows that have the target: true values, those that the headline
        predicts, and lengths.
    length_name
        What lengths count: ``"tokens"``, or ``"words"`` where the bank cannot say; empty where the
        texts are not at hand.
    standings
        The leaderboard, the lowest RMSE first.
    headline
        What the report is about: the first of these, or in a sweep the whole procedure.
    baseline
        Predicting the training mean; None in the file of a run that was saved without it.
    heat_maps, groups, curve
        What the run has of these.
    grouped
        Whether texts of one group share a fold.
    drawn
        Rows that scatter plots show; all, or a random part with the worst errors in it.
    marks
        What scatter plots say of these rows: columns ``id``, ``fold``, ``text`` and ``group``.
    worst, quotes
        Rows of the largest errors, the largest first, and their texts.
    by
        RMSE by further columns of the file, where such were asked for.
    weights
        A blend's members with their weights.
    """

    target: str
    id_name: str
    y: Vector
    predicted: Vector
    lengths: NDArray[Any]
    length_name: str
    standings: Sequence[Standing]
    headline: Standing
    baseline: Standing | None
    heat_maps: Sequence[HeatMap]
    groups: Sequence[Share]
    grouped: bool
    curve: LearningCurve | None
    drawn: NDArray[np.int64]
    marks: Mapping[str, Sequence[Any]]
    worst: NDArray[np.int64]
    quotes: Sequence[Quote]
    by: Mapping[str, Sequence[Share]]
    weights: Sequence[tuple[str, float]] = ()

    @property
    def best(self) -> LeaderboardRow:
        """The headline's row."""
        return self.headline.row

    @property
    def residuals(self) -> Vector:
        """True values less predicted ones, shape (n_samples,)."""
        return self.y - self.predicted

    def points(self) -> dict[str, list[Any]]:
        """Columns of the scatter plots' data."""
        rows = self.drawn
        return {
            "id": [*self.marks["id"]],
            "true": self.y[rows].tolist(),
            "predicted": self.predicted[rows].tolist(),
            "residual": self.residuals[rows].tolist(),
            "length": self.lengths[rows].tolist(),
            **{name: [*cells] for name, cells in self.marks.items() if name != "id"},
        }


def all_contents(
    experiment: Results,
    by: Mapping[str, Sequence[object]] | None = None,
    weights: Mapping[str, Sequence[tuple[str, float]]] | None = None,
    max_points: int = MAX_POINTS,
) -> list[Contents]:
    """One for each target, in their order.

    Parameters
    ----------
    by
        Further columns of the file by name, with a cell a text.
    weights
        By target, a blend's members with their weights.
    max_points
        Texts that scatter plots show at the most.
    """
    lengths = _lengths(experiment, experiment.task.texts)
    return [
        _contents(experiment, name, *lengths, by or {}, (weights or {}).get(name, ()), max_points)
        for name in experiment.task.target_names
    ]


def _contents(
    experiment: Results,
    target: str,
    lengths: NDArray[Any],
    length_name: str,
    by: Mapping[str, Sequence[object]],
    weights: Sequence[tuple[str, float]],
    max_points: int,
) -> Contents:
    task = experiment.task
    rows = task.known(task.target_names.index(target))
    ranked = experiment.standings(target)
    first = headline(ranked)
    best = first.row
    y, predicted = experiment.truth(target)[rows], best.predictions[rows]
    weights_of_rows = weights_of(task.weights, rows)
    by_error = np.argsort(-np.abs(y - predicted), kind="stable")
    drawn = np.arange(len(y))
    if len(y) > max_points:
        others = np.random.default_rng(0).permutation(by_error[N_WORST:])
        drawn = np.sort(np.concatenate([by_error[:N_WORST], others[: max_points - N_WORST]]))
    worst = by_error[:N_WORST]
    groups = None if task.groups is None else [task.groups[row] for row in rows]
    return Contents(
        target=target,
        id_name=task.id_name,
        y=y,
        predicted=predicted,
        lengths=lengths[rows],
        length_name=length_name,
        standings=ranked,
        headline=first,
        baseline=experiment.baseline(target),
        heat_maps=heat_maps(experiment, target),
        groups=[] if groups is None else shares_of(y, predicted, groups, weights_of_rows),
        grouped=groups is not None,
        curve=learning_curve(experiment, target, best),
        drawn=drawn,
        marks=_marks(experiment, rows[drawn]),
        worst=worst,
        quotes=[_quote(str(task.ids[row]), task.texts[row]) for row in rows[worst]],
        by={
            name: shares_by(y, predicted, [cells[row] for row in rows], weights_of_rows)
            for name, cells in by.items()
        },
        weights=weights,
    )


def _marks(experiment: Results, rows: NDArray[np.int64]) -> dict[str, Sequence[Any]]:
    task = experiment.task
    marks: dict[str, Sequence[Any]] = {
        "id": [str(task.ids[row]) for row in rows],
        "fold": (experiment.folds.numbers[rows] + 1).tolist(),
        "text": [beginning(task.texts[row]) for row in rows],
    }
    if task.groups is not None:
        marks["group"] = [str(task.groups[row]) for row in rows]
    return marks


def _quote(id: str, text: Text) -> Quote:
    whole = shown(text)
    return Quote(id, beginning(text), whole[:WHOLE], len(whole) > WHOLE)


def _lengths(experiment: Results, texts: Sequence[Text]) -> tuple[NDArray[Any], str]:
    """Length of each text, and what it is counted in; no unit where the texts are not at hand."""
    if not any(map(shown, texts)):
        return np.zeros(len(texts), np.int64), ""
    for bank in [*experiment.banks.by_name.values()][:1]:
        with contextlib.suppress(LayerbankError):  # the texts' banks are others than this one
            return bank.n_tokens(texts), "tokens"
    return np.array([len(shown(text).split()) for text in texts]), "words"
