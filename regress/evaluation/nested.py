"""The steps of an experiment: a selection's regressors, tuned inside the folds and scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.banks import Banks
from features.errors import InputError
from features.selection import ResolvedTerm, Selection, SelectionLike
from regress.data.fold_banks import FoldBanks
from regress.data.folds import Folds
from regress.data.matrix import fitting_matrix, n_columns
from regress.data.task import Task
from regress.evaluation.fold_wise import tune_fold_banks
from regress.evaluation.metrics import mean_scores
from regress.evaluation.results import Repeat, Result, scored
from regress.models.estimator import TunedRegressor
from regress.models.training import FoldData
from regress.models.tuning import Tuned, n_steps, pooled, refitted, tune

Terms = tuple[ResolvedTerm, ...]


def several_selections(select: SelectionLike | Iterable[SelectionLike]) -> list[Selection]:
    """One selection or several, read; SelectionError for one that cannot be."""
    one = isinstance(select, (str, Selection)) or not isinstance(select, Iterable)
    several: Any = [select] if one else select
    return [Selection.parse(selection) for selection in several]


def resolved(banks: Banks, select: SelectionLike | Iterable[SelectionLike]) -> dict[str, Terms]:
    """Each selection once, as it is written, with the blocks that it names.

    Raises
    ------
    InputError
        There is none.
    SelectionError
        One cannot be read, or names what no bank holds.
    """
    selections = several_selections(select)
    if not selections:
        raise InputError("name at least one selection, such as 'mean[-1]'")
    return {str(selection): banks.resolve(selection) for selection in selections}


@dataclass(frozen=True, eq=False)
class NestedCV:
    """Nested cross-validation of some regressors on a task.

    Attributes
    ----------
    banks, task
        What is regressed on what.
    splits
        Splits into folds; with several, all is repeated on each.
    regressors
        By name.
    memory, n_jobs
        As `regress.experiment.evaluate`.
    """

    banks: Banks
    task: Task
    splits: Sequence[Folds]
    regressors: Mapping[str, TunedRegressor]
    memory: int | None
    n_jobs: int | None

    @property
    def n_steps(self) -> int:
        """How often `results` calls `on_done`."""
        n_folds, n_regressors = self.splits[0].n_folds, len(self.regressors)
        if isinstance(self.banks, FoldBanks):
            return n_folds * (n_folds + n_regressors)
        return len(self.splits) * n_steps(n_folds, 0) + n_regressors

    def results(self, selection: str, terms: Terms, on_done: Callable[[], object]) -> list[Result]:
        """The results of every regressor on a selection, for each target."""
        tune_all = self._tune_fold_banks if isinstance(self.banks, FoldBanks) else self._tune
        columns = n_columns(self.banks.by_name, terms)
        return [
            self._result(selection, terms, columns, name, target, *tuned)
            for name, tuned in zip(self.regressors, tune_all(terms, on_done), strict=True)
            for target in range(len(self.task.target_names))
        ]

    def _tune(self, terms: Terms, on_done: Callable[[], object]) -> list[tuple[Tuned, list[Tuned]]]:
        """For each regressor: tuned over all splits and refitted on all rows, and by split."""
        regressors = [*self.regressors.values()]
        X = fitting_matrix(self.banks.by_name, self.task.keys, terms, self.memory)
        jobs: Any = {"n_jobs": self.n_jobs, "on_done": on_done}
        by_split = []
        # The first split comes last, so that its data are at hand for the refit.
        for folds in reversed(self.splits):
            data = self._fold_data(X, folds)
            by_split.append(tune(data, regressors, refit=False, **jobs))
        by_regressor = [list(tuned[::-1]) for tuned in zip(*by_split, strict=True)]
        together = refitted(data, regressors, [*map(pooled, by_regressor)], **jobs)
        return [*zip(together, by_regressor, strict=True)]

    def _tune_fold_banks(
        self, terms: Terms, on_done: Callable[[], object]
    ) -> list[tuple[Tuned, list[Tuned]]]:
        """The same for one bank a fold, which is never repeated."""
        names, [folds] = [*self.banks.by_name], self.splits

        def data(fold: int) -> FoldData:
            own = [term for term in terms if term.bank == names[fold]]
            X = fitting_matrix(self.banks.by_name, self.task.keys, own, self.memory)
            return self._fold_data(X, folds)

        regressors = [*self.regressors.values()]
        every = tune_fold_banks(data, regressors, folds, n_jobs=self.n_jobs, on_done=on_done)
        return [(tuned, [tuned]) for tuned in every]

    def _fold_data(self, X: Any, folds: Folds) -> FoldData:
        return FoldData(X, self.task.Y, folds, self.task.weights, memory=self.memory)

    def _result(
        self,
        selection: str,
        terms: Terms,
        columns: int,
        model: str,
        target: int,
        together: Tuned,
        by_split: Sequence[Tuned],
    ) -> Result:
        first, *repeats = [
            _repeat(tuned, target, self.task, folds)
            for tuned, folds in zip(by_split, self.splits, strict=True)
        ]
        return Result(
            select=selection,
            terms=terms,
            n_columns=columns,
            model=model,
            target=self.task.target_names[target],
            predictions=first.predictions,
            scores=mean_scores([repeat.scores for repeat in [first, *repeats]]),
            naive_rmse=float(together.cv_rmse[:, target].min()),
            fold_rmse=first.fold_rmse,
            fold_params=first.fold_params,
            params=dict(together.settings[together.final[target]]) if together.final else {},
            fitted=together.models[target],
            seconds=together.seconds,
            repeats=tuple(repeats),
        )


def _repeat(tuned: Tuned, target: int, task: Task, folds: Folds) -> Repeat:
    """A regressor's scores of one target on one split."""
    return scored(
        task,
        target,
        folds,
        tuned.predictions[:, target],
        naive_rmse=float(tuned.cv_rmse[:, target].min()),
        fold_params=[dict(tuned.settings[setting]) for setting in tuned.chosen[:, target]],
    )
