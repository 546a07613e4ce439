"""What a sweep found: the procedures, the headline first, and its leaderboard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regress.compute.arrays import Matrix
from regress.evaluation.lines import Entry, Leader, _single, as_row
from regress.evaluation.metrics import rmse
from regress.evaluation.results import Result, labelled
from regress.experiment import Experiment

if TYPE_CHECKING:
    import pandas as pd

#: Selections that the costlier regressors are tried on.
N_BEST = 5


@dataclass(frozen=True, eq=False, repr=False)
class AutoResult(Result):
    """What a sweep chose, with the scores of the whole procedure that chose it.

    Attributes
    ----------
    procedure
        ``"auto"``, or ``"auto svr"`` for the choice among one regressor's candidates.
    inner
        For each split into folds, shape (n_folds, n_samples): see
        `regress.sweep.choice.SplitSearch.inner_predictions`.
    """

    procedure: str = "auto"
    inner: Sequence[Matrix] = ()

    @property
    def only(self) -> str | None:
        """The regressor that it chose among, where that was one."""
        return None if self.procedure == "auto" else self.procedure.removeprefix("auto ")


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Experiment):
    """What `sweep` found: an experiment whose results are procedures, the headline first.

    Attributes
    ----------
    leaders
        For each target, everything that was tried, the lowest nested RMSE first.
    n_best, greedy
        As they were asked for.
    """

    leaders: dict[str, list[Leader]] = field(default_factory=dict)
    n_best: int = N_BEST
    greedy: bool = True

    def lines(self, target: str) -> list[Entry]:
        return _tried(self, target)

    def label(self, result: Result) -> str:
        if isinstance(result, AutoResult):
            return labelled(result.procedure, result.target, self.task.target_names)
        return super().label(result)

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Every line with its scores, and whether it ties with the best."""
        import pandas as pd

        several = len(self.task.target_names) > 1
        rows = [
            ({"target": target} if several else {}) | as_row(one)
            for target, leaders in self.leaders.items()
            for one in leaders
        ]
        return pd.DataFrame(rows)


def _tried(swept: Sweep, target: str) -> list[Entry]:
    y = swept.task.Y[:, swept.task.target_names.index(target)]
    weights = swept.task.weights
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
