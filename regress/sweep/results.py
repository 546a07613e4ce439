"""What a sweep found: the procedures, the headline first, and its leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from regress.compute.arrays import Matrix, Rows, spread
from regress.evaluation.leaderboard import LeaderboardRow
from regress.evaluation.oof import labelled
from regress.evaluation.results import Result
from regress.experiment import Experiment
from regress.models.base import save_arrays
from regress.runs.csv_writing import write_frame
from regress.runs.folder import INNER

if TYPE_CHECKING:
    import pandas as pd

#: What ``run.json`` says of the scores.
WHAT = (
    "scores of each result are those of the whole procedure (choice of selection, regressor and "
    "setting, each fold predicted by what was chosen and fitted without it); its model is what the "
    "procedure chose on all rows, refitted on them"
)

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

    def spread(self, rows: Rows | None, n_samples: int) -> Self:
        inner = [spread(of_split, rows, n_samples) for of_split in self.inner]
        return replace(super().spread(rows, n_samples), inner=inner)

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

    def _further_files(self, folder: Path) -> Mapping[str, Any]:
        """``leaderboard.csv`` and ``inner.npz``, and the object ``sweep`` for ``run.json``.

        ``inner.npz`` holds for each column of ``oof.csv``, shape (n_folds, n_samples), what a
        blend needs to choose its weights honestly.
        """
        write_frame(self.leaderboard, folder / "leaderboard.csv")
        inner = {
            name: predictions
            for result in self.results
            if isinstance(result, AutoResult)
            for name, predictions in zip(self.columns(result), result.inner, strict=True)
        }
        save_arrays(folder / INNER, inner)
        searched = {"scores": WHAT, "n_best": self.n_best, "greedy": self.greedy}
        return {"sweep": {**searched, "leaderboard": self.leaderboard_rows()}}
