"""Which selection, which regressor, how good really: from a bank to scored, fitted models.

`evaluate` is the story of stage 2, and the modules that it imports are its chapters: the task and
its folds in `regress.data`, the regressors in `regress.models`, and nested cross-validation in
`regress.evaluation`. What it returns is saved by `regress.runs` and drawn by `regress.report`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.console.progress import progress_bar
from features.console.stand_ins import showable
from features.filling import Encode, fill
from features.keys import text_keys
from features.texts import TextsLike, as_texts
from regress.compute.arrays import Matrix
from regress.compute.parallel import n_workers
from regress.data.fold_banks import BankLike, open_with_folds
from regress.data.folds import all_folds, several_seeds
from regress.data.given import NumbersLike
from regress.data.matrix import term_matrix
from regress.data.near_duplicates import near_duplicates
from regress.data.patterns import task_parts
from regress.data.task import checked_task
from regress.evaluation.nested import NestedCV, resolved
from regress.evaluation.oof import refuse_oof_names
from regress.evaluation.results import Result, Results
from regress.models.estimator import TunedRegressor
from regress.models.registry import named_regressors


@dataclass(frozen=True, eq=False, repr=False)
class Experiment(Results):
    """What `evaluate` found, and what can be done with it.

    Attributes
    ----------
    encode
        What encodes new texts; None where nothing can.
    """

    encode: Encode | None = field(default=None, kw_only=True)

    def predict(self, texts: TextsLike, *, encode: bool = True) -> Matrix:
        """What `best` predicts, shape (n_texts,).

        Parameters
        ----------
        texts
            Those that the banks lack are encoded first, and kept there.
        encode
            False to refuse them instead.

        Raises
        ------
        MissingTexts
            The banks lack texts, and nothing encodes them.
        """
        texts = as_texts(texts)
        for name in dict.fromkeys(term.bank for term in self.best.terms):
            fill(self.banks.by_name[name], texts, self.encode if encode else None)
        X = term_matrix(self.banks.by_name, text_keys(texts), self.best.terms)
        return self.best.fitted.predict(X)

    def __str__(self) -> str:
        from features.console.show import harmless
        from regress.report.tables import results_text

        return showable(harmless(results_text(self).plain))

    def _repr_html_(self) -> str:
        from regress.report.notebook import experiment_html

        return experiment_html(self)

    def _further_files(self, folder: Path) -> Mapping[str, Any]:
        """Write what a run folder holds besides, and return what ``run.json`` does."""
        return {}

    def save(
        self,
        path: str | Path,
        force: bool = False,
        *,
        source: Mapping[str, Any] | None = None,
        figures: bool = False,
    ) -> Path:
        """Write a run folder, and return its path.

        Parameters
        ----------
        path
            The folder to make.
        force
            Whether to replace a run that is there.
        source
            The file and columns that texts and targets came from; recorded as ``input``.
        figures
            Whether to write each picture of the report as PNG and SVG too.

        Raises
        ------
        RunError
            Something is there already, or the folder cannot be written.
        """
        from regress.runs.save import save_run

        return save_run(
            self, path, force=force, source=source, figures=figures, also=self._further_files
        )


def evaluate(
    bank: BankLike,
    texts: TextsLike,
    y: NumbersLike,
    *,
    select: str | Sequence[str] = ("mean[-1]",),
    models: str | Sequence[str | TunedRegressor] = ("ridge",),
    cv: int = 5,
    folds: str | Iterable[object] = "stratified",
    groups: Iterable[object] | None = None,
    random_state: int | Sequence[int] = 0,
    sample_weight: NumbersLike | None = None,
    skip_missing: bool = False,
    ids: Iterable[object] | None = None,
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
        n_samples texts that the bank holds, in whatever `features.as_texts` takes; duplicates
        never straddle folds.
    y
        Shape (n_samples,) or (n_samples, n_targets), finite (but see `skip_missing`), in whatever
        `regress.data.given.as_numbers` takes, as for `sample_weight`.
    select
        Selections.
    models
        Names from `MODELS`, or regressors set up otherwise than by default.
    cv
        Number of folds, at least 3.
    folds
        How the rows are divided: ``"stratified"`` gives every fold its share of low and high
        targets, ``"plain"`` divides at random, ``"group"`` keeps the rows of a group together.
        Or the fold of each row, n_samples labels; `cv` does not count then.
    groups
        The group of each row, n_samples names. Only ``folds="group"`` keeps groups together;
        ties and the report heed them in any case.
    random_state
        The seed of the folds. With several, all is repeated on each seed's folds: scores are
        means over the repeats, and settings are chosen over all of them.
    sample_weight
        Shape (n_samples,), 0 or above: how much each row counts in fits, scalers, choices and
        scores. Only the ratios matter. As in scikit-learn a weight of 0 is a row left out: it is in
        no fold.
    skip_missing
        Whether targets may be missing (NaN). Rows without any target are left out, whatever else
        they lack. Of several targets each is fitted and scored on the rows that have it, with the
        folds of all rows. What is kept is in `task`, and predictions have these rows.
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
        Lengths that differ, a target that is not finite or has one value, a fold without some
        target, too few rows, an unknown model.
    SelectionError, MissingTexts
        As `features.bank.Bank.matrix`.
    """
    n_jobs = n_workers(n_jobs)
    task = checked_task(
        texts, y, target_names=target_names, ids=ids, id_name=id_name, groups=groups,
        sample_weight=sample_weight, skip_missing=skip_missing, rows=rows,
    )  # fmt: skip
    seeds = several_seeds(random_state)
    regressors = named_regressors(models, seeds[0] if seeds else 0)
    banks, splits = open_with_folds(bank, lambda: all_folds(task, folds, cv, seeds, rows))
    selections = resolved(banks, select)
    labels = [f"{name} {selection}" for selection in selections for name in regressors]
    refuse_oof_names(task, labels, splits[1:])
    near = near_duplicates(task.texts, splits[0].numbers)
    parts = task_parts(task, splits)
    if len(parts) > 1:  # of all parts before any is fitted
        used = {term.bank for terms in selections.values() for term in terms}
        with task.as_given():
            for name in used:
                banks.by_name[name].require_keys(task.keys)
    nested = [NestedCV(banks, part.task, part.splits, regressors, memory, n_jobs) for part in parts]
    results: list[Result] = []
    n_steps = len(selections) * sum(each.n_steps for each in nested)
    with progress_bar(
        total=n_steps, desc="fits", unit="fit", disable=not progress, leave=False
    ) as bar:
        for selection, terms in selections.items():
            bar.set_postfix_str(selection)
            for part, each in zip(parts, nested, strict=True):
                with part.task.as_given():
                    found = each.results(selection, terms, bar.update)
                results += [result.spread(part.rows, len(task.texts)) for result in found]
    # Scores of different targets stand in different units, and are never ranked together.
    order = {name: number for number, name in enumerate(task.target_names)}
    results.sort(key=lambda result: (order[result.target], result.scores.rmse))
    return Experiment(
        banks, task, splits[0], results, regressors,
        selections=[*selections], repeats=splits[1:], near=near, memory=memory,
    )  # fmt: skip
