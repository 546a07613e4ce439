"""A sweep's run folder: a run like any other, with the leaderboard beside it.

To what `regress.persistence` writes it adds ``leaderboard.csv``, ``inner.npz`` (for each column of
``oof.csv``, shape (n_folds, n_samples): what a blend needs to choose its weights honestly), and in
``run.json`` the object ``sweep``: what its results' scores are scores of, and the leaderboard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regress.data.folds import Folds
from regress.evaluation.leaderboard import LeaderboardRow
from regress.evaluation.results import Result
from regress.experiment import Experiment
from regress.models.base import Matrix, save_arrays
from regress.runs.csv_writing import write_frame
from regress.runs.folder import INNER
from regress.runs.format import as_json, report_head
from regress.runs.save import save_run

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
        label = result.procedure if isinstance(result, AutoResult) else super().label(result)
        return f"{result.target}: {label}" if len(self.task.target_names) > 1 else label

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Every row with its scores, and whether it ties with the best."""
        import pandas as pd

        table = pd.DataFrame(self.leaderboard_rows())
        return table if len(self.task.target_names) > 1 else table.drop(columns="target")

    def leaderboard_rows(self) -> list[dict[str, Any]]:
        """The same as plain data, target by target."""
        return [
            {"target": target, **standing.as_dict()}
            for target in self.task.target_names
            for standing in self.standings(target)
        ]


def headline(swept: Sweep, target: str, folds: Folds) -> str:
    """The procedure's honest score beside the winner's flattering one, in a sentence."""
    auto = next(r for r in swept.results if r.target == target and swept.label(r).endswith("auto"))
    return (
        f"auto: nested RMSE {auto.scores.rmse:.4f} ± {auto.scores.se:.4f} (R² "
        f"{auto.scores.r2:.3f}) for the whole procedure, chosen without the fold it is scored on; "
        f"its winner on all rows is {auto.model} {auto.select} (naive CV RMSE "
        f"{auto.naive_rmse:.4f}); folds {folds.short}"
    )


WHAT = (
    "scores of each result are those of the whole procedure (choice of selection, regressor and "
    "setting, each fold predicted by what was chosen and fitted without it); its model is what the "
    "procedure chose on all rows, refitted on them"
)


def cache_beside(out: Path) -> Path:
    """The folder that keeps the finished parts of the sweep that writes a run folder."""
    return out.with_name(f"{out.name}.parts")


def save_sweep(
    swept: Sweep,
    path: str | Path,
    *,
    force: bool = False,
    source: Mapping[str, Any] | None = None,
    figures: bool = False,
) -> Path:
    """Write the run folder; as `regress.persistence.save_run`."""

    def also(folder: Path) -> Mapping[str, Any]:
        board = swept.leaderboard
        write_frame(board, folder / "leaderboard.csv")
        inner = {
            name: of_division
            for result in swept.results
            if isinstance(result, AutoResult)
            for name, of_division in zip(swept.columns(result), result.inner, strict=True)
        }
        save_arrays(folder / INNER, inner)
        searched = {"scores": WHAT, "n_best": swept.n_best, "greedy": swept.greedy}
        return {"sweep": {**searched, "leaderboard": swept.leaderboard_rows()}}

    return save_run(swept, path, force=force, source=source, figures=figures, also=also)


def sweep_json(swept: Sweep, run: str) -> str:
    """The leaderboard and the procedures' scores for programs."""
    results = [
        {
            "procedure": swept.label(result),
            "target": result.target,
            "model": result.model,
            "select": result.select,
            "rmse": result.scores.rmse,
            "se": result.scores.se,
            "r2": result.scores.r2,
            "naive_rmse": result.naive_rmse,
        }
        for result in swept.results
    ]
    head = report_head(swept, run)
    return as_json({**head, "results": results, "leaderboard": swept.leaderboard_rows()})
