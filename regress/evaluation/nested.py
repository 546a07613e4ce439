"""Which selection, which regressor, how good really: from a bank to scored, fitted models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.banks import Banks
from features.errors import InputError
from features.selection import ResolvedTerm, Selection
from regress.data.fold_banks import FoldBanks
from regress.data.folds import Folds
from regress.data.matrix import fitting_matrix
from regress.data.task import Task
from regress.evaluation.metrics import mean_scores
from regress.evaluation.results import Repeat, Result, scored
from regress.models.base import FittedModel, Matrix, Regressor
from regress.models.ensembles import FoldModels
from regress.models.estimator import TunedRegressor
from regress.models.training import FoldData
from regress.models.tuning import (
    Tuned,
    choose_for,
    hold_out,
    n_steps,
    pooled,
    refitted,
    run_on,
    tune,
)


def tune_fold_banks(
    data: Callable[[int], FoldData],
    regressors: Sequence[Regressor],
    folds: Folds,
    *,
    n_jobs: int | None = None,
    on_done: Callable[[], object] | None = None,
) -> list[Tuned]:
    """Tune, score and fit every regressor, fold k on bank k.

    Parameters
    ----------
    data
        Gives the features of all rows from the bank of a fold; held one at a time.

    Returns
    -------
    For each regressor; its models are `FoldModels`, `final` is empty.
    """
    n_folds = folds.n_folds
    chosen: list[list[NDArray[np.int64]]] = [[] for _ in regressors]
    errors: list[list[Matrix]] = [[] for _ in regressors]
    models: list[list[list[FittedModel]]] = [[] for _ in regressors]
    predictions: list[Matrix] = []
    seconds = np.zeros(len(regressors))
    for outer in range(n_folds):
        start, busy = time.perf_counter(), np.zeros(len(regressors))
        own = data(outer)
        own.prepare()
        pairs = [(min(outer, j), max(outer, j)) for j in range(n_folds) if j != outer]
        jobs = [(left_out,) for left_out in [(outer,), *pairs]]
        held = run_on(own, regressors, n_jobs, on_done)(hold_out, jobs)
        for at, (of_outer, *of_pairs) in enumerate(zip(*held, strict=True)):
            if not outer:
                predictions.append(np.empty_like(own.Y))
            inner = [of.errors[sum(pair) - outer] for of, pair in zip(of_pairs, pairs, strict=True)]
            best, predicted = choose_for(of_outer, inner)
            chosen[at].append(best)
            predictions[at][folds.rows([outer])] = predicted
            errors[at].append(of_outer.errors[outer])
            busy[at] = of_outer.seconds + sum(of.seconds for of in of_pairs)
        refits = [
            (outer, at, [regressor.settings()[i] for i in chosen[at][-1]])
            for at, regressor in enumerate(regressors)
        ]
        for at, fitted in enumerate(run_on(own, regressors, n_jobs, on_done)(_fit_without, refits)):
            models[at].append(fitted)
        seconds += busy / busy.sum() * (time.perf_counter() - start)
    shares = own.masses / own.masses.sum()
    return [
        Tuned(
            settings=regressor.settings(),
            errors=np.mean(errors[at], axis=0),
            cv_rmse=np.sqrt(np.tensordot(shares, errors[at], axes=1)),
            final=[],
            models=[FoldModels(tuple(of_target)) for of_target in zip(*models[at], strict=True)],
            seconds=float(seconds[at]),
            chosen=np.array(chosen[at]),
            predictions=predictions[at],
        )
        for at, regressor in enumerate(regressors)
    ]


def _fit_without(
    data: FoldData, regressors: Sequence[Regressor], fold: int, at: int, chosen: Sequence[Any]
) -> list[FittedModel]:
    return regressors[at].refit(data.training((fold,)), chosen)


def _resolved(
    banks: Banks, select: str | Selection | Iterable[str | Selection]
) -> dict[str, tuple[ResolvedTerm, ...]]:
    """Each selection once, as it prints itself, with the blocks it names."""
    several = [select] if isinstance(select, (str, Selection)) else select
    parsed = [Selection.parse(one) for one in several]
    if not parsed:
        raise InputError("name at least one selection, such as 'mean[-1]'")
    return {str(selection): banks.resolve(selection) for selection in parsed}


def _n_steps(banks: Banks, splits: Sequence[Folds], n_regressors: int) -> int:
    n_folds = splits[0].n_folds
    if isinstance(banks, FoldBanks):
        return n_folds * (n_folds + n_regressors)
    return len(splits) * n_steps(n_folds, 0) + n_regressors


def _tuned(
    banks: Banks,
    task: Task,
    terms: Sequence[ResolvedTerm],
    splits: Sequence[Folds],
    regressors: Sequence[TunedRegressor],
    memory: int | None,
    n_jobs: int | None,
    on_done: Callable[[], object],
) -> list[list[Tuned]]:
    """For each regressor, what came out on each division; the first is refitted on all rows."""
    X = fitting_matrix(banks.by_name, task.keys, terms, memory)
    repeats = []
    for folds in reversed(splits):
        data = FoldData(X, task.Y, folds, task.weights, memory=memory)
        repeats.append(tune(data, regressors, refit=False, n_jobs=n_jobs, on_done=on_done))
    # The folds that came last are the first repeat's.
    by_regressor = [list(of[::-1]) for of in zip(*repeats, strict=True)]
    together = [pooled(of) for of in by_regressor]
    together = refitted(data, regressors, together, n_jobs=n_jobs, on_done=on_done)
    return [[of_all, *of] for of_all, of in zip(together, by_regressor, strict=True)]


def _tuned_fold_banks(
    banks: Banks,
    task: Task,
    terms: Sequence[ResolvedTerm],
    splits: Sequence[Folds],
    regressors: Sequence[TunedRegressor],
    memory: int | None,
    n_jobs: int | None,
    on_done: Callable[[], object],
) -> list[list[Tuned]]:
    """The same for one bank a fold, which is never repeated."""

    def data(number: int) -> FoldData:
        own = [term for term in terms if term.bank == [*banks.by_name][number]]
        X = fitting_matrix(banks.by_name, task.keys, own, memory)
        return FoldData(X, task.Y, splits[0], task.weights, memory=memory)

    tuned = tune_fold_banks(data, regressors, splits[0], n_jobs=n_jobs, on_done=on_done)
    return [[of, of] for of in tuned]


def _results(
    selection: str,
    terms: tuple[ResolvedTerm, ...],
    model: str,
    tuned: Sequence[Tuned],
    task: Task,
    splits: Sequence[Folds],
    columns: int,
) -> list[Result]:
    """The results of one regressor for each target; `tuned` has all repeats in one, then each."""
    together, *each = tuned
    results = []
    for target, name in enumerate(task.target_names):
        repeats = [_repeat(of, target, task, folds) for of, folds in zip(each, splits, strict=True)]
        first = repeats[0]
        results.append(
            Result(
                select=selection,
                terms=terms,
                n_columns=columns,
                model=model,
                target=name,
                predictions=first.predictions,
                scores=mean_scores([repeat.scores for repeat in repeats]),
                naive_rmse=float(together.cv_rmse[:, target].min()),
                fold_rmse=first.fold_rmse,
                fold_params=first.fold_params,
                params=dict(together.settings[together.final[target]]) if together.final else {},
                fitted=together.models[target],
                seconds=together.seconds,
                repeats=tuple(repeats[1:]),
            )
        )
    return results


def _repeat(tuned: Tuned, target: int, task: Task, folds: Folds) -> Repeat:
    return scored(
        task,
        target,
        folds,
        tuned.predictions[:, target],
        naive_rmse=float(tuned.cv_rmse[:, target].min()),
        fold_params=[dict(tuned.settings[at]) for at in tuned.chosen[:, target]],
    )
