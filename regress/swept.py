"""What a sweep found: procedures with honest scores, and everything that they tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regress.folds import Folds
from regress.leaders import Leader, as_row
from regress.model import Matrix
from regress.results import Experiment, Result

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
        ``"auto"``, or ``"auto svr"`` for the choice among one regressor's cells alone.
    inner
        For each division into folds, shape (n_folds, n_samples): see
        `regress.search.Search.inner_predictions`.
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

    def label(self, result: Result) -> str:
        label = result.procedure if isinstance(result, AutoResult) else super().label(result)
        return f"{result.target}: {label}" if len(self.design.target_names) > 1 else label

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Every line with its scores, and whether it ties with the best."""
        import pandas as pd

        several = len(self.design.target_names) > 1
        rows = [
            ({"target": target} if several else {}) | as_row(one)
            for target, leaders in self.leaders.items()
            for one in leaders
        ]
        return pd.DataFrame(rows)


def headline(swept: Sweep, target: str, folds: Folds) -> str:
    """The procedure's honest score beside the winner's flattering one, in a sentence."""
    auto = next(r for r in swept.results if r.target == target and swept.label(r).endswith("auto"))
    return (
        f"auto: nested RMSE {auto.scores.rmse:.4f} ± {auto.scores.se:.4f} (R² "
        f"{auto.scores.r2:.3f}) for the whole procedure, chosen without the fold it is scored on; "
        f"its winner on all rows is {auto.model} {auto.select} (naive CV RMSE "
        f"{auto.naive_rmse:.4f}); folds {folds.short}"
    )
