"""Nested cross-validation with one bank a fold: fold k is tuned, scored and fitted on bank k alone.

See `regress.data.fold_banks` for why. With one bank for all folds it is `regress.models.tuning`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regress.compute.arrays import Matrix
from regress.data.folds import Folds
from regress.models.base import FittedModel, Regressor, Setting
from regress.models.ensembles import FoldModels
from regress.models.training import FoldData
from regress.models.tuning import Tuned, choose_for, hold_out, run_on


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
    by_fold = [_tune_fold(data, regressors, fold, n_jobs, on_done) for fold in range(folds.n_folds)]
    return [
        _joined(regressor.settings(), folds, tuned)
        for regressor, tuned in zip(regressors, zip(*by_fold, strict=True), strict=True)
    ]


class _TunedFold(NamedTuple):
    """What one regressor makes of one fold, with the bank of that fold."""

    chosen: NDArray[np.int64]  # (n_targets,): settings, chosen without it
    predictions: Matrix  # (n_held, n_targets), at these settings
    errors: Matrix  # (n_settings, n_targets): mean squared errors on the fold
    models: list[FittedModel]  # of each target, fitted without the fold
    mass: float  # sum of the fold's weights
    seconds: float


def _tune_fold(
    data: Callable[[int], FoldData],
    regressors: Sequence[Regressor],
    outer: int,
    n_jobs: int | None,
    on_done: Callable[[], object] | None,
) -> list[_TunedFold]:
    start = time.perf_counter()
    own = data(outer)
    own.prepare()
    inner = [fold for fold in range(own.folds.n_folds) if fold != outer]
    pairs = [(min(outer, fold), max(outer, fold)) for fold in inner]
    run = run_on(own, regressors, n_jobs, on_done)
    held_out = [*zip(*run(hold_out, [(left_out,) for left_out in [(outer,), *pairs]]), strict=True)]
    choices = [
        choose_for(single, [held.errors[fold] for held, fold in zip(twos, inner, strict=True)])
        for single, *twos in held_out
    ]
    refits = [
        (outer, number, [regressor.settings()[setting] for setting in chosen])
        for number, (regressor, (chosen, _)) in enumerate(zip(regressors, choices, strict=True))
    ]
    models = run(_fit_without, refits)
    busy = [sum(held.seconds for held in every) for every in held_out]
    pace = (time.perf_counter() - start) / sum(busy)
    return [
        _TunedFold(*choice, single.errors[outer], fitted, float(own.masses[outer]), seconds * pace)
        for choice, (single, *_), fitted, seconds in zip(
            choices, held_out, models, busy, strict=True
        )
    ]


def _fit_without(
    data: FoldData, regressors: Sequence[Regressor], fold: int, number: int, chosen: Sequence[Any]
) -> list[FittedModel]:
    return regressors[number].refit(data.training((fold,)), chosen)


def _joined(settings: Sequence[Setting], folds: Folds, by_fold: Sequence[_TunedFold]) -> Tuned:
    """One regressor's folds as one."""
    errors = [tuned.errors for tuned in by_fold]
    masses = np.array([tuned.mass for tuned in by_fold])
    predictions = np.empty((len(folds), errors[0].shape[1]))
    for fold, tuned in enumerate(by_fold):
        predictions[folds.rows([fold])] = tuned.predictions
    return Tuned(
        settings=settings,
        errors=np.mean(errors, axis=0),
        cv_rmse=np.sqrt(np.tensordot(masses / masses.sum(), errors, axes=1)),
        final=[],
        models=[
            FoldModels(models) for models in zip(*(tuned.models for tuned in by_fold), strict=True)
        ],
        seconds=sum(tuned.seconds for tuned in by_fold),
        chosen=np.array([tuned.chosen for tuned in by_fold]),
        predictions=predictions,
    )
