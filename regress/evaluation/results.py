"""What an experiment found: results, their table, out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from features.banks import Banks
from features.errors import InputError
from features.selection import ResolvedTerm
from regress.data.folds import Folds
from regress.data.near_duplicates import NearDuplicates
from regress.data.task import Task
from regress.evaluation.lines import Entry, Standing, _single, standings
from regress.evaluation.metrics import Scores, rmse, score
from regress.models.base import FittedModel, Matrix
from regress.models.estimator import TunedRegressor

if TYPE_CHECKING:
    import pandas as pd


def _compare(experiment: Results, target: str) -> Callable[[Sequence[Entry]], list[Standing]]:
    task = experiment.task
    y = task.Y[:, task.target_names.index(target)]
    return partial(standings, y, units=task.drawn_together, weights=task.weights)


#: Columns of ``oof.csv``, and what its columns hold.
FOLD, WEIGHT = "fold", "weight"


IDS, FOLDS, TARGET = "the ids", "the folds", "the target"


WEIGHTS, PREDICTIONS = "the sample weights", "predictions"


def refuse_oof_names(task: Task, labels: Sequence[str], repeats: Sequence[Folds] = ()) -> None:
    """InputError where two columns of ``oof.csv`` would have one name.

    Parameters
    ----------
    labels
        What the results will be called, less their targets: ``"ridge mean[-1]"``, ``"auto"``.
    repeats
        Further divisions into folds.
    """
    targets = task.target_names
    of_results = [labelled(label, target, targets) for target in targets for label in labels]
    columns = [(task.id_name, IDS), (FOLD, FOLDS), *((name, TARGET) for name in targets)]
    columns += [(WEIGHT, WEIGHTS)] if task.weights is not None else []
    columns += [(label, PREDICTIONS) for label in of_results]
    for folds in repeats:
        columns.append((seeded(FOLD, folds.seed), FOLDS))
        columns += [(seeded(label, folds.seed), PREDICTIONS) for label in of_results]
    refuse_shared_names(columns)


def refuse_shared_names(columns: Iterable[tuple[str, str]]) -> None:
    """InputError where two of ``oof.csv``'s columns, each a name and what it holds, share one."""
    holds: dict[str, str] = {}
    for name, what in columns:
        if name in holds:
            pair = (what, holds[name])
            # Targets and ids are called what the user calls them; all else has its fixed name.
            given = next((one for one in (TARGET, IDS) if one in pair), what)
            raise InputError(
                f"{given} cannot be called {name!r}, as {pair[pair[0] == given]} are in oof.csv: "
                "give that column another name"
            )
        holds[name] = what


def labelled(label: str, target: str, targets: Sequence[str]) -> str:
    """What a result is called among those of all targets."""
    return f"{target}: {label}" if len(targets) > 1 else label


def seeded(column: str, seed: int) -> str:
    """What a column is called on a further division into folds."""
    return f"{column} (seed {seed})"


@dataclass(frozen=True, eq=False)
class Repeat:
    """A result on a further division into folds.

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


def scored(
    task: Task,
    target: int,
    folds: Folds,
    predictions: Matrix,
    *,
    naive_rmse: float,
    fold_params: list[dict[str, float]],
) -> Repeat:
    """Predictions of one target on one division, with their scores."""
    y, weights = task.Y[:, target], task.weights
    by_fold = [folds.rows([fold]) for fold in range(folds.n_folds)]
    return Repeat(
        predictions=predictions,
        scores=score(y, predictions, weights),
        naive_rmse=naive_rmse,
        fold_rmse=[
            rmse(y[rows], predictions[rows], None if weights is None else weights[rows])
            for rows in by_fold
        ],
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
        Shape (n_samples,): nested out-of-fold predictions.
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
        The same on further divisions into folds. With these, `scores` and `naive_rmse` are means
        over all divisions, and `params` was chosen over all; predictions, `fold_rmse` and
        `fold_params` are those of the first.
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
        return (
            f"<{type(self).__name__} {self.model} {self.select} on {self.target!r}: RMSE "
            f"{self.scores.rmse:.4f} ± {self.scores.se:.4f}>"
        )


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
        Further divisions into folds, where several seeds were given.
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
            f", first {self.label(one)} RMSE {one.scores.rmse:.4f}" for one in self.results[:1]
        )
        return (
            f"<{type(self).__name__}: {len(self.folds)} texts, {self.folds.n_folds} "
            f"{self.folds.scheme} folds, {len(self.results)} results{first}>"
        )

    @property
    def best(self) -> Result:
        """The result with the lowest nested RMSE, of the first target."""
        return self.results[0]

    @property
    def table(self) -> pd.DataFrame:
        """Scores of each selection and regressor, best first in each target."""
        import pandas as pd

        rows = [table_row(result) for result in self.results]
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
        columns: list[tuple[str, str, Any]] = [
            (task.id_name, IDS, list(task.ids)),
            (FOLD, FOLDS, self.folds.names if self.folds.labels else self.folds.numbers),
            *((name, TARGET, y) for name, y in zip(task.target_names, task.Y.T, strict=True)),
        ]
        if task.weights is not None:
            columns.append((WEIGHT, WEIGHTS, task.weights))
        columns += [(self.label(of), PREDICTIONS, of.predictions) for of in self.results]
        for at, folds in enumerate(self.repeats):
            columns.append((seeded(FOLD, folds.seed), FOLDS, folds.numbers))
            for of in self.results:
                columns.append((self.columns(of)[at + 1], PREDICTIONS, of.repeats[at].predictions))
        refuse_shared_names([(name, what) for name, what, _ in columns])
        return pd.DataFrame({name: values for name, _, values in columns})

    def columns(self, result: Result) -> list[str]:
        """A result's columns in `oof`: of the first division into folds, and of each repeat."""
        label = self.label(result)
        return [label, *(seeded(label, folds.seed) for folds in self.repeats)]

    def label(self, result: Result) -> str:
        """What a result is called in `oof`: ``ridge mean[-1]``, after its target if several."""
        return labelled(f"{result.model} {result.select}", result.target, self.task.target_names)

    def lines(self, target: str) -> list[Entry]:
        """Every line of a target."""
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
            for result in self.results
            if result.target == target
        ]


def table_row(result: Result) -> dict[str, Any]:
    """A result as a row of the table."""
    return {
        "target": result.target,
        "select": result.select,
        "model": result.model,
        **asdict(result.scores),
        "naive_rmse": result.naive_rmse,
        "seconds": result.seconds,
        "params": result.params,
    }


@dataclass(frozen=True, eq=False)
class Prepared(Results):
    """An experiment whose lines are known: by target, `prepared`, the headline first."""

    notes: Sequence[str] = ()
    prepared: Mapping[str, list[Entry]] = field(default_factory=dict)

    def lines(self, target: str) -> list[Entry]:
        return self.prepared[target]


def entries(experiment: Results, target: str) -> list[Entry]:
    """Every line of a target."""
    return experiment.lines(target)
