"""Everything worth trying on a bank, and an honest score of having tried it all.

Ridge runs over every block, the usual concatenations and a greedy forward search; the costlier
regressors run on the selections that ridge finds best. The lowest of so many scores flatters, so
the whole procedure is scored: for each outer fold, selection, regressor and setting are chosen by
the other folds alone, the forward search included, and what they choose predicts that fold.
What a search finds fits the very rows that it was found on, so its error is first raised by what
such searches lose on folds that they have not seen.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from numpy.typing import ArrayLike

from features.banks import Banks
from features.console.show import tqdm
from features.errors import InputError
from features.keys import Text
from regress.compute.parallel import n_workers
from regress.data.fold_banks import BankLike, open_with_folds
from regress.data.folds import all_folds, several_seeds
from regress.data.matrix import n_columns
from regress.data.near_duplicates import near_duplicates
from regress.data.task import Task, checked_task, drawn_together
from regress.evaluation.lines import Leader, leader, ranked
from regress.evaluation.metrics import mean_scores
from regress.evaluation.results import Repeat, refuse_oof_names, scored
from regress.models.base import Matrix
from regress.models.estimator import TunedRegressor
from regress.models.registry import named_regressors
from regress.sweep.candidates import Cell, combined, distinct, single_blocks
from regress.sweep.places import open_division
from regress.sweep.results import N_BEST, AutoResult, Sweep
from regress.sweep.search import SCOUT, Search, estimated_work, search

__all__ = ["MODELS", "N_BEST", "AutoResult", "Sweep", "sweep"]


MODELS = ("ridge", "krr", "svr", "lightgbm")


def sweep(
    bank: BankLike,
    texts: Sequence[Text],
    y: ArrayLike,
    *,
    models: str | Sequence[str | TunedRegressor] = MODELS,
    select: str | Sequence[str] = (),
    n_best: int = N_BEST,
    greedy: bool = True,
    cv: int = 5,
    folds: str | Sequence[object] = "stratified",
    groups: Sequence[str] | None = None,
    random_state: int | Sequence[int] = 0,
    sample_weight: ArrayLike | None = None,
    ids: Sequence[object] | None = None,
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
    bank, texts, y, cv, folds, groups, sample_weight
        As `regress.experiment.evaluate`.
    ids, id_name, rows, target_names, n_jobs, progress
        As there.
    models
        Names from `MODELS`, or regressors. Ridge always runs, over everything; the others run on
        the `n_best` selections that ridge finds best, found anew without each fold.
    select
        Selections to try besides.
    greedy
        Whether to search forward for blocks to add.
    random_state
        The seed of the folds. With several, all is searched anew on each seed's folds, and scores
        are means; what is refitted on all rows was chosen over all of them.
    cache
        A folder that keeps finished parts, so that another call goes on where one stopped.
    memory
        Bytes that features and products may take, about; None for half of what is free. Where it
        is little, the forward search ranks on fewer rows, and may find others; nothing else that
        is scored depends on it.

    Raises
    ------
    InputError, SelectionError, MissingTexts
        As `regress.experiment.evaluate`.
    """
    began = time.perf_counter()
    n_jobs = n_workers(n_jobs)
    task = checked_task(
        texts, y, target_names=target_names, ids=ids, id_name=id_name, groups=groups,
        sample_weight=sample_weight, rows=rows,
    )  # fmt: skip
    seeds = several_seeds(random_state)
    regressors = _regressors(models, seeds[0] if seeds else 0)
    if n_best < 1:
        raise InputError(f"the costlier regressors need a selection at least, not {n_best}")
    banks, splits = open_with_folds(bank, lambda: all_folds(task, folds, cv, seeds, rows))
    among = regressors if len(regressors) > 1 else ()
    refuse_oof_names(task, ["auto", *(f"auto {name}" for name in among)], splits[1:])
    extra = [select] if isinstance(select, str) else list(select)
    with ExitStack() as stack:
        folder = cache or stack.enter_context(tempfile.TemporaryDirectory(prefix="layerbank-"))
        divisions = [
            open_division(
                banks, task, of, regressors, cache=Path(folder), memory=memory, n_jobs=n_jobs
            )
            for of in splits
        ]
        named_by = divisions[0].banks
        fixed = distinct([*single_blocks(named_by), *combined(named_by, extra)])
        n_targets = len(task.target_names)
        ahead = estimated_work(divisions, fixed, [*regressors], n_targets, n_best, greedy)
        total = sum(ahead.values())
        bar = stack.enter_context(
            tqdm(total=total, desc="sweep", disable=not progress, leave=False, bar_format=_BAR)
        )
        lock = threading.Lock()

        def on_stage(name: str, work: float | None) -> None:
            estimated = ahead.pop(name)
            with lock:
                bar.total = bar.n + sum(ahead.values()) + (estimated if work is None else work)
                bar.set_description_str(f"sweep, {name}")

        def on_done(work: float) -> None:
            with lock:  # from several threads
                bar.total = max(float(bar.total or 0), bar.n + work)
                bar.update(work)

        searches = search(
            divisions, fixed, [*regressors], n_targets,
            n_best=n_best, greedy=greedy, n_jobs=n_jobs, on_stage=on_stage, on_done=on_done,
        )  # fmt: skip
        results = [
            result for one in searches for result in _results(banks, task, one, [*regressors])
        ]
        seconds = time.perf_counter() - began
        results = [replace(result, seconds=seconds) for result in results]
        leaders = {
            name: _leaders(banks, task, one, [of for of in results if of.target == name])
            for name, one in zip(task.target_names, searches, strict=True)
        }
    return Sweep(
        banks, task, splits[0], [*results], regressors,
        selections=extra, repeats=splits[1:], memory=memory,
        near=near_duplicates(task.texts, splits[0].numbers),
        leaders=leaders, n_best=n_best, greedy=greedy,
    )  # fmt: skip


_BAR = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


def _regressors(
    models: str | Sequence[str | TunedRegressor], random_state: int
) -> dict[str, TunedRegressor]:
    named = named_regressors(models, random_state)
    return named if SCOUT in named else named_regressors([SCOUT], random_state) | named


def _results(banks: Banks, task: Task, one: Search, models: Sequence[str]) -> list[AutoResult]:
    """The whole procedure, and the same among each regressor's cells; each with its winner."""
    among: list[str | None] = [None, *(models if len(models) > 1 else [])]
    return [_result(banks, task, one, model) for model in among]


def _result(banks: Banks, task: Task, one: Search, model: str | None) -> AutoResult:
    winner = one.choice(model)
    setting = one.setting(winner)
    terms = banks.resolve(winner.candidate.select)
    repeats = [_repeat(task, one, division, model) for division in range(len(one.divisions))]
    first = repeats[0]
    return AutoResult(
        select=winner.candidate.select,
        terms=terms,
        n_columns=n_columns(banks.by_name, terms),
        model=winner.model,
        target=task.target_names[one.target],
        predictions=first.predictions,
        scores=mean_scores([repeat.scores for repeat in repeats]),
        naive_rmse=one.naive_rmse(winner),
        fold_rmse=first.fold_rmse,
        fold_params=first.fold_params,
        params=dict(setting),
        fitted=one.divisions[0].refit(winner, one.target, setting),
        seconds=0.0,
        repeats=tuple(repeats[1:]),
        procedure="auto" if model is None else f"auto {model}",
        inner=[one.inner_predictions(at, model) for at in range(len(one.divisions))],
    )


def _repeat(task: Task, one: Search, division: int, model: str | None) -> Repeat:
    """The procedure on one division into folds."""
    scoring, folds = one.scorings[division], one.divisions[division].folds
    cells = [one.choice_without(division, outer, model) for outer in range(folds.n_folds)]
    return scored(
        task,
        one.target,
        folds,
        one.predictions_of(division, cells),
        naive_rmse=float(scoring.cv_rmse(one.choice(model)).min()),
        fold_params=[
            dict(one.settings(cell)[scoring.chosen(cell, outer)])
            for outer, cell in enumerate(cells)
        ],
    )


def _leaders(banks: Banks, task: Task, one: Search, results: Sequence[AutoResult]) -> list[Leader]:
    every = range(len(one.divisions))

    def line(kind: str, cell: Cell, predictions: Sequence[Matrix]) -> Leader:
        select = cell.candidate.select
        return leader(
            kind, cell.model, select, n_columns(banks.by_name, banks.resolve(select)),
            y=task.Y[:, one.target], weights=task.weights, predictions=predictions,
            naive_rmse=one.naive_rmse(cell),
        )  # fmt: skip

    lines = []
    for cell in one.pool:
        if cell.candidate in one.fixed:
            units = cell.candidate.units
            kind = "block" if units is not None and len(units) == 1 else "combination"
            lines.append(line(kind, cell, [of.nested_predictions(cell) for of in one.scorings]))
    if one.found:
        cells = [[Cell(SCOUT, of[outer]) for outer in sorted(of)] for of in one.greedy]
        best = min((Cell(SCOUT, found) for found in one.found), key=one.naive_rmse)
        lines.append(line("greedy", best, [one.predictions_of(at, cells[at]) for at in every]))
    for result in results:
        predictions = [result.predictions, *(repeat.predictions for repeat in result.repeats)]
        lines.append(line(result.procedure, one.choice(result.only), predictions))
    return ranked(lines, task.Y[:, one.target], drawn_together(task), task.weights)
