"""Everything worth trying on a bank, and an honest score of having tried it all.

Ridge runs over every block, the usual concatenations and a greedy forward search; the costlier
regressors run on the selections that ridge finds best. The lowest of so many scores flatters, so
the whole procedure is scored: for each outer fold, selection, regressor and setting are chosen by
the other folds alone, the forward search included, and what they choose predicts that fold.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from features.banks import Banks
from features.errors import InputError
from features.keys import Text
from regress.candidates import combined, distinct, single_blocks
from regress.cells import Cell, Store
from regress.design import BankLike, Design, checked_design, opened
from regress.estimator import TunedRegressor
from regress.fitting import refit
from regress.folds import Folds, make_folds
from regress.grams import Grams
from regress.leaders import Leader, as_row, leader, ranked
from regress.metrics import rmse, score
from regress.model import Matrix
from regress.parallel import available_memory, in_processes, workers_a_machine
from regress.registry import named_regressors
from regress.results import Experiment, Result
from regress.search import SCOUT, Search, estimated_work, search

if TYPE_CHECKING:
    import pandas as pd

MODELS = ("ridge", "svr", "lightgbm")
#: Selections that the costlier regressors are tried on.
N_BEST = 5


@dataclass(frozen=True, eq=False)
class AutoResult(Result):
    """What a sweep chose, with the scores of the whole procedure that chose it.

    Attributes
    ----------
    procedure
        ``"auto"``, or ``"auto svr"`` for the choice among one regressor's cells alone.
    inner
        Shape (n_folds, n_samples): see `regress.search.Search.inner_predictions`.
    """

    procedure: str = "auto"
    inner: Matrix = field(default_factory=lambda: np.empty((0, 0)))


@dataclass(frozen=True, eq=False)
class Sweep(Experiment):
    """What `sweep` found: an experiment whose results are procedures, the headline first.

    Attributes
    ----------
    leaders
        For each target, everything that was tried, the lowest nested RMSE first.
    """

    leaders: dict[str, list[Leader]] = field(default_factory=dict)

    def label(self, result: Result) -> str:
        label = result.procedure if isinstance(result, AutoResult) else super().label(result)
        return f"{result.target}: {label}" if len(self.design.target_names) > 1 else label

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Every line with its scores, and whether it ties with the best."""
        import pandas as pd

        several = len(self.design.target_names) > 1
        rows = [
            ({"target": target} if several else {}) | as_row(one)
            for target, leaders in self.leaders.items()
            for one in leaders
        ]
        return pd.DataFrame(rows)


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
    folds: str = "stratified",
    groups: Sequence[str] | None = None,
    random_state: int = 0,
    ids: Sequence[object] | None = None,
    id_name: str = "id",
    target_names: Sequence[str] | None = None,
    cache: str | Path | None = None,
    memory: int | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Sweep:
    """Try every block, the usual combinations and a forward search; score the whole procedure.

    Parameters
    ----------
    bank, texts, y, cv, folds, groups, random_state, ids, id_name, target_names, n_jobs, progress
        As `regress.experiment.evaluate`.
    models
        Names from `MODELS`, or regressors. Ridge always runs, over everything; the others run on
        the `n_best` selections that ridge finds best, found anew without each fold.
    select
        Selections to try besides.
    greedy
        Whether to search forward for blocks to add.
    cache
        A folder that keeps finished parts, so that another call goes on where one stopped.
    memory
        Bytes that shared products may take; None for half of what is free.

    Raises
    ------
    InputError, SelectionError, MissingTexts
        As `regress.experiment.evaluate`.
    """
    banks = Banks(opened(bank))
    design = checked_design(
        texts, y, target_names=target_names, ids=ids, id_name=id_name, groups=groups
    )
    regressors = _regressors(models, random_state)
    if n_best < 1:
        raise InputError(f"the costlier regressors need a selection at least, not {n_best}")
    split = make_folds(
        design.keys, design.Y, n_folds=cv, scheme=folds, groups=groups, seed=random_state
    )
    grams = Grams(banks, design, split, memory or available_memory() // 2)
    if in_processes():
        grams.room = grams.memory // workers_a_machine(n_jobs)
    grams.require()
    extra = [select] if isinstance(select, str) else list(select)
    fixed = distinct([*single_blocks(banks), *combined(banks, extra)])
    with ExitStack() as stack:
        folder = cache or stack.enter_context(tempfile.TemporaryDirectory(prefix="layerbank-"))
        fingerprints = {name: one.fingerprint for name, one in banks.by_name.items()}
        store = Store(Path(folder), fingerprints, design, split, regressors)
        total = estimated_work(grams, store, fixed, n_best, greedy)
        bar = stack.enter_context(
            tqdm(total=total, desc="sweep", disable=not progress, leave=False, bar_format=_BAR)
        )
        lock = threading.Lock()

        def on_done(work: float) -> None:
            with lock:  # from several threads
                bar.total = max(float(bar.total or 0), bar.n + work)
                bar.update(work)

        searches = search(
            grams, store, fixed, n_best=n_best, greedy=greedy, n_jobs=n_jobs, on_done=on_done
        )
        results = [
            result
            for target, one in enumerate(searches)
            for result in _results(grams, store, one, target)
        ]
        leaders = {
            name: _leaders(grams, one, design.Y[:, target], results, name)
            for target, (name, one) in enumerate(zip(design.target_names, searches, strict=True))
        }
    return Sweep(
        banks=banks, design=design, folds=split, results=results, regressors=regressors,
        leaders=leaders,
    )  # fmt: skip


_BAR = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


def _regressors(
    models: str | Sequence[str | TunedRegressor], random_state: int
) -> dict[str, TunedRegressor]:
    named = named_regressors(models, random_state)
    return named if SCOUT in named else named_regressors([SCOUT], random_state) | named


def _results(grams: Grams, store: Store, one: Search, target: int) -> list[Result]:
    """The whole procedure, and the same among each regressor's cells; each with its winner."""
    models = [*store.regressors]
    among: list[str | None] = [None, *(models if len(models) > 1 else [])]
    return [_result(grams, store, one, target, model) for model in among]


def _result(grams: Grams, store: Store, one: Search, target: int, model: str | None) -> AutoResult:
    scoring, folds = one.scoring, grams.folds
    winner = one.choice(None, model)
    settings = store.settings(winner)
    setting = settings[scoring.chosen(winner, None)]
    y, predictions = grams.design.Y[:, target], one.nested_predictions(model)
    chosen = [one.choice(outer, model) for outer in range(folds.n_folds)]
    return AutoResult(
        select=winner.candidate.select,
        terms=winner.candidate.terms,
        n_columns=n_columns(grams, winner),
        model=winner.model,
        target=grams.design.target_names[target],
        predictions=predictions,
        scores=score(y, predictions),
        naive_rmse=scoring.naive_rmse(winner),
        fold_rmse=[
            rmse(y[rows], predictions[rows])
            for rows in (folds.rows([fold]) for fold in range(folds.n_folds))
        ],
        fold_params=[
            dict(store.settings(cell)[scoring.chosen(cell, outer)])
            for outer, cell in enumerate(chosen)
        ],
        params=dict(setting),
        fitted=refit(grams, store, winner, target, setting),
        seconds=0.0,
        procedure="auto" if model is None else f"auto {model}",
        inner=one.inner_predictions(model),
    )


def _leaders(
    grams: Grams, one: Search, y: Matrix, results: Sequence[Result], target: str
) -> list[Leader]:
    scoring = one.scoring
    lines = []
    for cell in one.pools[None]:
        if cell.candidate in one.fixed:
            units = cell.candidate.units
            lines.append(
                leader(
                    "block" if units is not None and len(units) == 1 else "combination",
                    cell.model, cell.candidate.select, n_columns(grams, cell), y=y,
                    predictions=scoring.nested_predictions(cell),
                    naive_rmse=scoring.naive_rmse(cell),
                )
            )  # fmt: skip
    if one.greedy:
        predicted = np.empty(len(y))
        for outer in range(grams.folds.n_folds):
            cell = Cell(SCOUT, one.greedy[outer])
            predicted[grams.folds.rows([outer])] = scoring.outer_predictions(cell, outer)
        cell = Cell(SCOUT, one.greedy[None])
        lines.append(
            leader(
                "greedy", SCOUT, cell.candidate.select, n_columns(grams, cell), y=y,
                predictions=predicted, naive_rmse=scoring.naive_rmse(cell),
            )
        )  # fmt: skip
    for result in results:
        if isinstance(result, AutoResult) and result.target == target:
            lines.append(
                leader(
                    result.procedure, result.model, result.select, result.n_columns, y=y,
                    predictions=result.predictions, naive_rmse=result.naive_rmse,
                )
            )  # fmt: skip
    return ranked(lines, y, drawn_together(grams.design))


def drawn_together(design: Design) -> NDArray[np.int64]:
    """Number of each row's text, or of its group: what a resample draws as one."""
    if design.groups is not None:
        return np.unique(np.asarray(design.groups, dtype=str), return_inverse=True)[1]
    which = np.unique(design.keys, axis=0, return_inverse=True)[1]
    return which.reshape(-1).astype(np.int64)


def n_columns(grams: Grams, cell: Cell) -> int:
    """Columns of a cell's selection."""
    return sum(grams.banks.by_name[term.bank].width(term) for term in cell.candidate.terms)


def headline(swept: Sweep, target: str, folds: Folds) -> str:
    """The procedure's honest score beside the winner's flattering one, in a sentence."""
    auto = next(r for r in swept.results if r.target == target and swept.label(r).endswith("auto"))
    return (
        f"auto: nested RMSE {auto.scores.rmse:.4f} ± {auto.scores.se:.4f} (R² "
        f"{auto.scores.r2:.3f}) for the whole procedure, chosen without the fold it is scored on; "
        f"its winner on all rows is {auto.model} {auto.select} (naive CV RMSE "
        f"{auto.naive_rmse:.4f}); folds {folds.short}"
    )
