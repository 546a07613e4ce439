"""What a leaderboard has lines for: results of an experiment, or everything a sweep tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from features.blocks import Block, ResolvedTerm
from regress.leaders import Leader
from regress.metrics import Scores, Vector, rmse
from regress.results import Experiment
from regress.sweep import Sweep

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


@dataclass(frozen=True, eq=False)
class Prepared(Experiment):
    """An experiment whose lines are known: by target, `prepared`, the headline first."""

    prepared: Mapping[str, list[Entry]] = field(default_factory=dict)


def entries(experiment: Experiment, target: str) -> list[Entry]:
    """Every line of a target."""
    if isinstance(experiment, Prepared):
        return experiment.prepared[target]
    if isinstance(experiment, Sweep):
        return _tried(experiment, target)
    return [
        Entry(
            kind="result",
            model=result.model,
            select=result.select,
            n_columns=result.n_columns,
            scores=result.scores,
            naive_rmse=result.naive_rmse,
            fold_rmse=result.fold_rmse,
            predictions=result.predictions,
            bank_block=_single(result.terms),
            params=result.params,
            seconds=result.seconds,
        )
        for result in experiment.results
        if result.target == target
    ]


def _tried(swept: Sweep, target: str) -> list[Entry]:
    y = swept.design.Y[:, swept.design.target_names.index(target)]
    weights = swept.design.weights
    by_fold = [swept.folds.rows([fold]) for fold in range(swept.folds.n_folds)]
    params = {(one.model, one.select): one.params for one in swept.results if one.target == target}
    return [
        Entry(
            kind=one.kind,
            model=one.model,
            select=one.select,
            n_columns=one.n_columns,
            scores=one.scores,
            naive_rmse=one.naive_rmse,
            fold_rmse=[
                rmse(y[rows], one.predictions[rows], None if weights is None else weights[rows])
                for rows in by_fold
            ],
            predictions=one.predictions,
            bank_block=_single(swept.banks.resolve(one.select)) if one.kind == "block" else None,
            params=params.get((one.model, one.select), {}),
        )
        for one in _once(swept.leaders[target])
    ]


def _once(leaders: Iterable[Leader]) -> list[Leader]:
    """Each line once: what a search found may be a block that was tried by itself, too."""
    return list({(one.label, one.select): one for one in leaders}.values())


def _single(terms: tuple[ResolvedTerm, ...]) -> tuple[str, Block] | None:
    if len(terms) != 1 or len(terms[0].blocks) != 1:
        return None
    return terms[0].bank, terms[0].blocks[0]
