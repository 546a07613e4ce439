"""Which selection, which regressor, how good really: from a bank to scored, fitted models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from numpy.typing import ArrayLike

from features.banks import Banks
from features.blocks import ResolvedTerm
from features.errors import InputError
from features.keys import Text
from features.progress import tqdm
from features.selection import Selection
from regress.design import BankLike, Design, checked_design
from regress.divisions import all_folds, open_with_folds, several_seeds
from regress.estimator import TunedRegressor
from regress.fold_banks import FoldBanks, tune_fold_banks
from regress.folds import Folds
from regress.matrix import fitting_matrix, n_columns
from regress.metrics import mean_scores
from regress.near_duplicates import near_duplicates
from regress.parallel import n_workers
from regress.registry import named_regressors
from regress.results import Experiment, Repeat, Result, refuse_oof_names, scored, table_row
from regress.statistics import FoldData
from regress.tuning import Tuned, n_steps, pooled, refitted, tune

__all__ = ["Experiment", "Result", "evaluate", "table_row"]


def evaluate(
    bank: BankLike,
    texts: Sequence[Text],
    y: ArrayLike,
    *,
    select: str | Sequence[str] = ("mean[-1]",),
    models: str | Sequence[str | TunedRegressor] = ("ridge",),
    cv: int = 5,
    folds: str | Sequence[object] = "stratified",
    groups: Sequence[str] | None = None,
    random_state: int | Sequence[int] = 0,
    sample_weight: ArrayLike | None = None,
    ids: Sequence[object] | None = None,
    id_name: str = "id",
    rows: Sequence[int] | None = None,
    target_names: Sequence[str] | None = None,
    memory: int | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Experiment:
    """Score every regressor on every selection by nested cross-validation, and fit it.

    Parameters
    ----------
    bank
        One bank or several (with several, selections name theirs: ``"roberta/mean[-1]"``). A
        path with ``{fold}`` in it stands for one bank a fold; see `regress.fold_banks`.
    texts
        n_samples texts that the bank holds; duplicates never straddle folds.
    y
        Shape (n_samples,) or (n_samples, n_targets), finite.
    select
        Selections.
    models
        Names from `MODELS`, or regressors set up otherwise than by default.
    cv, folds, groups
        Number of folds, ``"stratified"`` by deciles of the target, ``"plain"`` or ``"group"``,
        and the group of each row; see `regress.folds.make_folds`. Or, as `folds`, the fold of
        each row; see `regress.folds.given_folds`.
    random_state
        The seed of the folds. With several, all is repeated on each seed's folds: scores are
        means over the repeats, and settings are chosen over all of them.
    sample_weight
        Shape (n_samples,), above 0: how much each row counts in fits, scalers, choices and
        scores. Only the ratios matter.
    ids, id_name
        What each row is called in the out-of-fold predictions, and the name of that column; None
        for row numbers from 1.
    rows
        Row numbers that errors name; None to count from 1.
    target_names
        One for each target; None for those that a data frame or series brings along.
    memory
        Bytes that features, their products and the fits may take together, about; None for what
        is free. What Python and its packages take, a few hundred megabytes, comes on top. A
        matrix that would take more than half is read from the bank part by part, as often as it
        is needed; fewer fits run at a time; numbers stay the same.
    n_jobs
        Worker threads; None for one a core.
    progress
        Whether to draw a progress bar on stderr.

    Raises
    ------
    InputError
        Lengths that differ, a target that is not finite or has one value, too few rows, an
        unknown model.
    SelectionError, MissingTexts
        As `features.bank.Bank.matrix`.
    """
    n_jobs = n_workers(n_jobs)
    design = checked_design(
        texts, y, target_names=target_names, ids=ids, id_name=id_name, groups=groups,
        sample_weight=sample_weight, rows=rows,
    )  # fmt: skip
    seeds = several_seeds(random_state)
    regressors = named_regressors(models, seeds[0] if seeds else 0)
    banks, splits = open_with_folds(bank, lambda: all_folds(design, folds, cv, seeds, rows))
    selections = _resolved(banks, select)
    labels = [f"{name} {selection}" for selection in selections for name in regressors]
    refuse_oof_names(design, labels, splits[1:])
    near = near_duplicates(design.texts, splits[0].numbers)
    results: list[Result] = []
    bar = tqdm(desc="fits", unit="fit", disable=not progress, leave=False)
    bar.total = len(selections) * _n_steps(banks, splits, len(regressors))
    with bar:
        for selection, terms in selections.items():
            bar.set_postfix_str(selection)
            fit = _tuned_fold_banks if isinstance(banks, FoldBanks) else _tuned
            tuned = fit(
                banks, design, terms, splits, [*regressors.values()], memory, n_jobs, bar.update
            )
            for name, of_model in zip(regressors, tuned, strict=True):
                results += _results(
                    selection,
                    terms,
                    name,
                    of_model,
                    design,
                    splits,
                    n_columns(banks.by_name, terms),
                )
    # Scores of different targets stand in different units, and are never ranked together.
    order = {name: number for number, name in enumerate(design.target_names)}
    results.sort(key=lambda result: (order[result.target], result.scores.rmse))
    return Experiment(
        banks, design, splits[0], results, regressors,
        selections=[*selections], repeats=splits[1:], near=near, memory=memory,
    )  # fmt: skip


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
    design: Design,
    terms: Sequence[ResolvedTerm],
    splits: Sequence[Folds],
    regressors: Sequence[TunedRegressor],
    memory: int | None,
    n_jobs: int | None,
    on_done: Callable[[], object],
) -> list[list[Tuned]]:
    """For each regressor, what came out on each division; the first is refitted on all rows."""
    X = fitting_matrix(banks.by_name, design.texts, terms, memory)
    repeats = []
    for folds in reversed(splits):
        data = FoldData(X, design.Y, folds, design.weights, memory=memory)
        repeats.append(tune(data, regressors, refit=False, n_jobs=n_jobs, on_done=on_done))
    # The folds that came last are the first repeat's.
    by_regressor = [list(of[::-1]) for of in zip(*repeats, strict=True)]
    together = [pooled(of) for of in by_regressor]
    together = refitted(data, regressors, together, n_jobs=n_jobs, on_done=on_done)
    return [[of_all, *of] for of_all, of in zip(together, by_regressor, strict=True)]


def _tuned_fold_banks(
    banks: Banks,
    design: Design,
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
        X = fitting_matrix(banks.by_name, design.texts, own, memory)
        return FoldData(X, design.Y, splits[0], design.weights, memory=memory)

    tuned = tune_fold_banks(data, regressors, splits[0], n_jobs=n_jobs, on_done=on_done)
    return [[of, of] for of in tuned]


def _results(
    selection: str,
    terms: tuple[ResolvedTerm, ...],
    model: str,
    tuned: Sequence[Tuned],
    design: Design,
    splits: Sequence[Folds],
    columns: int,
) -> list[Result]:
    """The results of one regressor for each target; `tuned` has all repeats in one, then each."""
    together, *each = tuned
    results = []
    for target, name in enumerate(design.target_names):
        repeats = [
            _repeat(of, target, design, folds) for of, folds in zip(each, splits, strict=True)
        ]
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


def _repeat(tuned: Tuned, target: int, design: Design, folds: Folds) -> Repeat:
    return scored(
        design,
        target,
        folds,
        tuned.predictions[:, target],
        naive_rmse=float(tuned.cv_rmse[:, target].min()),
        fold_params=[dict(tuned.settings[at]) for at in tuned.chosen[:, target]],
    )
