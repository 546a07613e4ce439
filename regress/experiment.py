"""Which selection, which regressor, how good really: from a bank to scored, fitted models.

`evaluate` is the story of stage 2, and the modules that it imports are its chapters: the task and
its folds in `regress.data`, the regressors in `regress.models`, and nested cross-validation in
`regress.evaluation`. What it returns is saved by `regress.runs` and drawn by `regress.report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import ArrayLike

from features.console.progress import progress_bar
from features.keys import Text, text_keys
from regress.compute.arrays import Matrix
from regress.compute.parallel import n_workers
from regress.data.fold_banks import BankLike, open_with_folds
from regress.data.folds import all_folds, several_seeds
from regress.data.matrix import term_matrix
from regress.data.near_duplicates import near_duplicates
from regress.data.task import checked_task
from regress.evaluation.nested import NestedCV, resolved
from regress.evaluation.oof import refuse_oof_names
from regress.evaluation.results import Result, Results
from regress.models.estimator import TunedRegressor
from regress.models.registry import named_regressors


@dataclass(frozen=True, eq=False, repr=False)
class Experiment(Results):
    """What `evaluate` found, and what can be done with it."""

    def predict(self, texts: Sequence[Text]) -> Matrix:
        """What `best` predicts for texts that the banks hold, shape (n_texts,)."""
        X = term_matrix(self.banks.by_name, text_keys(texts), self.best.terms)
        return self.best.fitted.predict(X)

    def __str__(self) -> str:
        from features.console.show import harmless
        from regress.report.tables import results_text

        return harmless(results_text(self).plain)

    def _repr_html_(self) -> str:
        from regress.report.notebook import experiment_html

        return experiment_html(self)

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write a run folder; see `regress.runs.save.save_run`."""
        from regress.runs.save import save_run

        return save_run(self, path, force=force)


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
        path with ``{fold}`` in it stands for one bank a fold; see `regress.data.fold_banks`.
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
        and the group of each row; see `regress.data.folds.make_folds`. Or, as `folds`, the fold of
        each row; see `regress.data.folds.given_folds`.
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
    task = checked_task(
        texts, y, target_names=target_names, ids=ids, id_name=id_name, groups=groups,
        sample_weight=sample_weight, rows=rows,
    )  # fmt: skip
    seeds = several_seeds(random_state)
    regressors = named_regressors(models, seeds[0] if seeds else 0)
    banks, splits = open_with_folds(bank, lambda: all_folds(task, folds, cv, seeds, rows))
    selections = resolved(banks, select)
    labels = [f"{name} {selection}" for selection in selections for name in regressors]
    refuse_oof_names(task, labels, splits[1:])
    near = near_duplicates(task.texts, splits[0].numbers)
    nested = NestedCV(banks, task, splits, regressors, memory, n_jobs)
    results: list[Result] = []
    n_steps = len(selections) * nested.n_steps
    with progress_bar(
        total=n_steps, desc="fits", unit="fit", disable=not progress, leave=False
    ) as bar:
        for selection, terms in selections.items():
            bar.set_postfix_str(selection)
            results += nested.results(selection, terms, bar.update)
    # Scores of different targets stand in different units, and are never ranked together.
    order = {name: number for number, name in enumerate(task.target_names)}
    results.sort(key=lambda result: (order[result.target], result.scores.rmse))
    return Experiment(
        banks, task, splits[0], results, regressors,
        selections=[*selections], repeats=splits[1:], near=near, memory=memory,
    )  # fmt: skip
