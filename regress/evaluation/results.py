"""What `evaluate` found: results, their table, out-of-fold predictions and leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from features.banks import Banks
from features.console.stand_ins import showable
from features.selection import ResolvedTerm
from regress.compute.arrays import Matrix, Rows, spread
from regress.data.folds import Folds
from regress.data.near_duplicates import NearDuplicates
from regress.data.task import Task
from regress.evaluation.baseline import baseline_row
from regress.evaluation.leaderboard import LeaderboardRow, Standing, standing, standings
from regress.evaluation.metrics import Scores, Vector, rmse_by_fold, score
from regress.evaluation.oof import (
    FOLD,
    FOLDS,
    IDS,
    PREDICTIONS,
    TARGET,
    WEIGHT,
    WEIGHTS,
    labelled,
    refuse_shared_names,
    seeded,
)
from regress.models.base import FittedModel
from regress.models.estimator import TunedRegressor

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Repeat:
    """A result on a further split.

    Attributes
    ----------
    predictions
        Shape (n_samples,): nested out-of-fold predictions.
    scores, naive_rmse, fold_rmse, fold_params
        As in `Result`.
    """

    predictions: Matrix
    scores: Scores
    naive_rmse: float
    fold_rmse: list[float]
    fold_params: list[dict[str, float]]

    def spread(self, rows: Rows | None, n_samples: int) -> Repeat:
        """The same among more rows; see `regress.compute.arrays.spread`."""
        return replace(self, predictions=spread(self.predictions, rows, n_samples))


def scored(
    task: Task,
    target: int,
    folds: Folds,
    predictions: Matrix,
    *,
    naive_rmse: float,
    fold_params: list[dict[str, float]],
) -> Repeat:
    """Predictions of one target on one split, with their scores."""
    y, weights = task.Y[:, target], task.weights
    return Repeat(
        predictions=predictions,
        scores=score(y, predictions, weights),
        naive_rmse=naive_rmse,
        fold_rmse=rmse_by_fold(y, predictions, folds.numbers, weights),
        fold_params=fold_params,
    )


@dataclass(frozen=True, eq=False)
class Result:
    """One regressor on one selection, for one target.

    Attributes
    ----------
    select, terms, n_columns
        The selection, its blocks as the bank resolves them, and the columns they make.
    model, target
        Names.
    predictions
        Shape (n_samples,): nested out-of-fold predictions; NaN where a row lacks the target.
    scores
        Of these predictions.
    naive_rmse
        The lowest cross-validated RMSE among the settings: what is reported where the same folds
        choose and score.
    fold_rmse, fold_params
        RMSE of each outer fold, and the setting chosen without it.
    params, fitted
        The setting chosen over all folds, and the model refitted on all rows with it.
    seconds
        Time that tuning and fitting took; of a sweep's results, that of the whole sweep's call.
    repeats
        The same on further splits. With these, `scores` and `naive_rmse` are means over all
        splits, and `params` was chosen over all; predictions, `fold_rmse` and `fold_params` are
        those of the first.
    """

    select: str
    terms: tuple[ResolvedTerm, ...]
    n_columns: int
    model: str
    target: str
    predictions: Matrix
    scores: Scores
    naive_rmse: float
    fold_rmse: list[float]
    fold_params: list[dict[str, float]]
    params: dict[str, float]
    fitted: FittedModel
    seconds: float
    repeats: tuple[Repeat, ...] = field(default=(), kw_only=True)

    def __repr__(self) -> str:
        return showable(
            f"<{type(self).__name__} {self.model} {self.select} on {self.target!r}: RMSE "
            f"{self.scores.rmse:.4f} ± {self.scores.se:.4f}>"
        )

    def spread(self, rows: Rows | None, n_samples: int) -> Self:
        """The same among more rows; see `regress.compute.arrays.spread`."""
        return replace(
            self,
            predictions=spread(self.predictions, rows, n_samples),
            repeats=tuple(repeat.spread(rows, n_samples) for repeat in self.repeats),
        )

    def splits(self) -> Matrix:
        """Predictions of each split, shape (n_splits, n_samples)."""
        return np.stack([self.predictions, *(repeat.predictions for repeat in self.repeats)])

    def as_dict(self) -> dict[str, Any]:
        """Plain data: a row of the table, what scores it first."""
        named = {"target": self.target, "model": self.model, "select": self.select}
        return table_row(self.scores, named, self.naive_rmse, self.seconds, self.params)


def table_row(
    scores: Scores,
    named: Mapping[str, str],
    naive_rmse: float,
    seconds: float | None,
    params: Mapping[str, float],
) -> dict[str, Any]:
    """A row of `Results.table`: RMSE, its standard error and R², what is scored, and the rest."""
    of = asdict(scores)
    first = {name: of.pop(name) for name in ("rmse", "se", "r2")}
    rest = {"naive_rmse": naive_rmse, "seconds": seconds, "params": dict(params)}
    return {**first, **named, **of, **rest}


@dataclass(frozen=True, eq=False)
class Results:
    """What `evaluate` found.

    Attributes
    ----------
    banks, task
        What it was fitted on.
    folds
        The outer folds.
    results
        Target by target in their order, and the lowest RMSE first in each.
    regressors
        By name, as they were set up.
    selections
        As they were asked for.
    repeats
        Further splits, where several seeds were given.
    near
        Texts that are nearly the same; None where they are too many to compare.
    memory
        Bytes that the fits were held to, where a limit was given.
    """

    banks: Banks
    task: Task
    folds: Folds
    results: list[Result]
    regressors: Mapping[str, TunedRegressor]
    selections: Sequence[str] = field(default=(), kw_only=True)
    repeats: Sequence[Folds] = field(default=(), kw_only=True)
    near: NearDuplicates | None = field(default=None, kw_only=True)
    memory: int | None = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        first = "".join(
            f", first {self.label(best)} RMSE {best.scores.rmse:.4f}" for best in self.results[:1]
        )
        return showable(
            f"<{type(self).__name__}: {len(self.folds)} texts, {self.folds.n_folds} "
            f"{self.folds.scheme} folds, {len(self.results)} results{first}>"
        )

    @property
    def best(self) -> Result:
        """The result with the lowest nested RMSE, of the first target."""
        return self.results[0]

    @property
    def table(self) -> pd.DataFrame:
        """Scores of each selection and regressor, best first in each target.

        The last row of each target is the baseline, whose model is ``"training mean"``.
        """
        import pandas as pd

        rows = []
        for target in self.task.target_names:
            rows += [result.as_dict() for result in self.results if result.target == target]
            rows.append(self._baseline_dict(target))
        table = pd.DataFrame(rows)
        return table if len(self.task.target_names) > 1 else table.drop(columns="target")

    @property
    def oof(self) -> pd.DataFrame:
        """Each row's fold, target and nested out-of-fold predictions, a column a result.

        Repeats are never averaged, which would score an ensemble: each has its own columns,
        named after its seed.

        Raises
        ------
        InputError
            Two columns would have one name.
        """
        import pandas as pd

        task = self.task
        columns: list[tuple[str, str, object]] = [
            (task.id_name, IDS, list(task.ids)),
            (FOLD, FOLDS, self.folds.names if self.folds.labels else self.folds.numbers),
            *((name, TARGET, y) for name, y in zip(task.target_names, task.Y.T, strict=True)),
        ]
        if task.weights is not None:
            columns.append((WEIGHT, WEIGHTS, task.weights))
        columns += [
            (self.label(result), PREDICTIONS, result.predictions) for result in self.results
        ]
        for number, folds in enumerate(self.repeats):
            columns.append((seeded(FOLD, folds.seed), FOLDS, folds.numbers))
            columns += [
                (seeded(self.label(result), folds.seed), PREDICTIONS,
                 result.repeats[number].predictions)
                for result in self.results
            ]  # fmt: skip
        refuse_shared_names([(name, content) for name, content, _ in columns])
        return pd.DataFrame({name: values for name, _, values in columns})

    def columns(self, result: Result) -> list[str]:
        """A result's columns in `oof`: of the first split, and of each further one."""
        label = self.label(result)
        return [label, *(seeded(label, folds.seed) for folds in self.repeats)]

    def label(self, result: Result) -> str:
        """What a result is called in `oof`: ``ridge mean[-1]``, after its target if several."""
        return labelled(f"{result.model} {result.select}", result.target, self.task.target_names)

    def truth(self, target: str) -> Vector:
        """True values of a target, shape (n_samples,); NaN where a row lacks it."""
        values: Vector = self.task.Y[:, self.task.target_names.index(target)]
        return values

    def rows(self, target: str) -> list[LeaderboardRow]:
        """The leaderboard of a target, the lowest nested RMSE first."""
        return [
            LeaderboardRow(
                kind="result",
                model=result.model,
                select=result.select,
                terms=result.terms,
                n_columns=result.n_columns,
                scores=result.scores,
                naive_rmse=result.naive_rmse,
                fold_rmse=result.fold_rmse,
                predictions=result.predictions,
                repeats=[repeat.predictions for repeat in result.repeats],
                params=result.params,
                seconds=result.seconds,
            )
            for result in self.results
            if result.target == target
        ]

    def baseline(self, target: str) -> Standing:
        """Predicting the training mean, which is not ranked, against the best row of a target."""
        task, number = self.task, self.task.target_names.index(target)
        row = baseline_row(task, number, [self.folds, *self.repeats])
        best = min(self.rows(target), key=lambda row: row.scores.rmse)
        return standing(self.truth(target), row, best, task.drawn_together, task.weights)

    def _baseline_dict(self, target: str) -> dict[str, Any]:
        row = self.baseline(target).row
        named = {"target": target, "model": row.model, "select": row.select}
        return table_row(row.scores, named, row.naive_rmse, None, row.params)

    def standings(
        self, target: str, rows: Sequence[LeaderboardRow] | None = None
    ) -> list[Standing]:
        """Rows of a target, all unless some are given, each against the best of them."""
        found = self.rows(target) if rows is None else rows
        task = self.task
        return standings(self.truth(target), found, task.drawn_together, task.weights)
