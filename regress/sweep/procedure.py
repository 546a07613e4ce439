"""Everything worth trying on a bank, and an honest score of having tried it all.

Ridge runs over every block, the usual concatenations and a greedy forward search; the costlier
regressors run on the selections that ridge finds best. The lowest of many scores is low by luck
too. So the whole procedure is scored: for each outer fold, selection, regressor and setting are
chosen by the other folds alone, the forward search included, and what they choose predicts that
fold.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from features.banks import Banks
from features.errors import InputError
from features.paths import as_path
from features.texts import TextsLike
from regress.compute.parallel import n_workers
from regress.data.fold_banks import BankLike, open_with_folds
from regress.data.folds import all_folds, several_seeds
from regress.data.given import NumbersLike
from regress.data.near_duplicates import near_duplicates
from regress.data.patterns import TaskPart, task_parts
from regress.data.task import checked_task
from regress.evaluation.leaderboard import LeaderboardRow
from regress.evaluation.nested import several_selections
from regress.evaluation.oof import refuse_oof_names
from regress.models.estimator import TunedRegressor
from regress.models.registry import named_regressors
from regress.sweep.candidates import combinations, distinct, single_blocks
from regress.sweep.choice import RIDGE
from regress.sweep.outcomes import leaderboard_rows, results_of
from regress.sweep.progress import stage_progress
from regress.sweep.results import N_BEST, AutoResult, Sweep
from regress.sweep.search import estimated_work, search
from regress.sweep.splits import open_split

#: What runs on the selections that ridge finds best, and ridge.
DEFAULT_MODELS = (RIDGE, "krr", "svr", "lightgbm")


def sweep(
    bank: BankLike,
    texts: TextsLike,
    y: NumbersLike,
    *,
    models: str | Sequence[str | TunedRegressor] = DEFAULT_MODELS,
    select: str | Sequence[str] = (),
    n_best: int = N_BEST,
    greedy: bool = True,
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
    cache: str | Path | None = None,
    memory: int | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Sweep:
    """Try every block, the usual combinations and a forward search; score the whole procedure.

    Parameters
    ----------
    bank
        One bank or several, or a path with ``{fold}`` in it for one bank a fold.
    texts
        n_samples texts that the banks hold; duplicates never straddle folds.
    y
        Shape (n_samples,) or (n_samples, n_targets). Each target is searched and ranked by itself.
    skip_missing
        As `regress.experiment.evaluate`.
    models
        Names from `MODELS`, or regressors. Ridge always runs, over everything; the others run on
        the `n_best` selections that ridge finds best, found anew without each fold.
    select
        Selections to try besides.
    n_best
        How many of ridge's selections the other regressors are tried on.
    greedy
        Whether to search forward for blocks to add.
    cv
        Number of folds, at least 3.
    folds
        ``"stratified"``, ``"plain"`` or ``"group"``, or the fold of each row, as in
        `regress.experiment.evaluate`.
    groups
        The group of each row, n_samples names. Only ``folds="group"`` keeps groups together;
        ties and the report heed them in any case.
    random_state
        The seed of the folds. With several, all is searched anew on each seed's folds, and scores
        are means; what is refitted on all rows was chosen over all of them.
    sample_weight
        Shape (n_samples,), above 0: how much each row counts in fits, choices and scores.
    ids, id_name
        What each row is called in the out-of-fold predictions, and the name of that column; None
        for row numbers from 1.
    rows
        Row numbers that errors name; None to count from 1.
    target_names
        One for each target; None for those that a data frame or series brings along.
    cache
        A folder that keeps finished fits, so that another call goes on where one stopped.
    memory
        Bytes that features and products may take, about; None for half of what is free. Where it
        is little, the forward search ranks on fewer rows, and may find others; nothing else that
        is scored depends on it.
    n_jobs
        Worker threads; None for one a core.
    progress
        Whether to draw a progress bar on stderr.

    Raises
    ------
    InputError, SelectionError, MissingTexts
        As `regress.experiment.evaluate`.
    """
    began = time.perf_counter()
    n_jobs = n_workers(n_jobs)
    task = checked_task(
        texts, y, target_names=target_names, ids=ids, id_name=id_name, groups=groups,
        sample_weight=sample_weight, skip_missing=skip_missing, rows=rows,
    )  # fmt: skip
    seeds = several_seeds(random_state)
    regressors = _regressors(models, seeds[0] if seeds else 0)
    if n_best < 1:
        raise InputError(f"the costlier regressors need a selection at least, not {n_best}")
    banks, splits = open_with_folds(bank, lambda: all_folds(task, folds, cv, seeds, rows))
    among = regressors if len(regressors) > 1 else ()
    refuse_oof_names(task, ["auto", *(f"auto {name}" for name in among)], splits[1:])
    extra = [*map(str, several_selections(select))]
    results: list[AutoResult] = []
    tried: dict[str, list[LeaderboardRow]] = {}
    parts = task_parts(task, splits)
    with ExitStack() as stack:
        folder = (
            stack.enter_context(tempfile.TemporaryDirectory(prefix="layerbank-"))
            if cache is None
            else as_path(cache)
        )
        stack.enter_context(task.as_given())
        for bank_read in banks.by_name.values():  # of all parts before any is fitted
            bank_read.require_keys(task.keys)
        for part in parts:
            found, of_targets = _searched(
                part, banks, regressors, extra, n_best=n_best, greedy=greedy, cache=Path(folder),
                memory=memory, n_jobs=n_jobs, progress=progress,
            )  # fmt: skip
            results += found
            tried |= of_targets
    seconds = time.perf_counter() - began
    n = len(task.texts)
    by_target = {name: part.rows for part in parts for name in part.task.target_names}
    results = [
        replace(result, seconds=seconds).spread(by_target[name], n)
        for name in task.target_names
        for result in results
        if result.target == name
    ]
    tried = {
        name: [row.spread(by_target[name], n) for row in tried[name]] for name in task.target_names
    }
    return Sweep(
        banks, task, splits[0], [*results], regressors,
        selections=extra, repeats=splits[1:], memory=memory,
        near=near_duplicates(task.texts, splits[0].numbers),
        tried=tried, n_best=n_best, greedy=greedy,
    )  # fmt: skip


def _searched(
    part: TaskPart,
    banks: Banks,
    regressors: dict[str, TunedRegressor],
    extra: Sequence[str],
    *,
    n_best: int,
    greedy: bool,
    cache: Path,
    memory: int | None,
    n_jobs: int | None,
    progress: bool,
) -> tuple[list[AutoResult], dict[str, list[LeaderboardRow]]]:
    """Results of targets that the same rows have, and by target all that was tried."""
    task = part.task
    opened = [
        open_split(banks, task, split, regressors, cache=cache, memory=memory, n_jobs=n_jobs)
        for split in part.splits
    ]
    named_by = opened[0].banks
    fixed = distinct([*single_blocks(named_by), *combinations(named_by, extra)])
    what = (opened, fixed, [*regressors], len(task.target_names))
    work = estimated_work(*what, n_best, greedy)
    with stage_progress(work, shown=progress) as (on_stage, on_done):
        searches = search(
            *what, n_best=n_best, greedy=greedy, n_jobs=n_jobs, on_stage=on_stage, on_done=on_done
        )
        results, tried = [], {}
        for name, found in zip(task.target_names, searches, strict=True):
            of_target = results_of(found, banks, task, [*regressors])
            tried[name] = leaderboard_rows(found, banks, task, of_target)
            results += of_target
    return results, tried


def _regressors(
    models: str | Sequence[str | TunedRegressor], random_state: int
) -> dict[str, TunedRegressor]:
    """Regressors by name, with ridge before the others where it was not asked for."""
    named = named_regressors(models, random_state)
    return named if RIDGE in named else named_regressors([RIDGE], random_state) | named
