"""What a sweep found: the procedures, the headline first, and its leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from regress.compute.arrays import Matrix
from regress.evaluation.leaderboard import LeaderboardRow
from regress.evaluation.oof import labelled
from regress.evaluation.results import Result
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
    tried
        For each target, everything that was tried, the lowest nested RMSE first.
    n_best, greedy
        As they were asked for.
    """

    tried: dict[str, list[LeaderboardRow]] = field(default_factory=dict)
    n_best: int = N_BEST
    greedy: bool = True

    def rows(self, target: str) -> list[LeaderboardRow]:
        return self.tried[target]

    def label(self, result: Result) -> str:
        if isinstance(result, AutoResult):
            return labelled(result.procedure, result.target, self.task.target_names)
        return super().label(result)

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Every row with its scores, and whether it ties with the best; last, the baseline."""
        import pandas as pd

        table = pd.DataFrame(self.leaderboard_rows())
        return table if len(self.task.target_names) > 1 else table.drop(columns="target")

    def leaderboard_rows(self) -> list[dict[str, Any]]:
        """The same as plain data, target by target."""
        return [
            {"target": target, **standing.as_dict()}
            for target in self.task.target_names
            for standing in [*self.standings(target), self.baseline(target)]
        ]
