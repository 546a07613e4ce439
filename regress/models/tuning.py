"""Choosing settings by cross-validation, and scoring that choice by nested cross-validation.

The outer folds score, and the inner folds of each are the other outer folds. So one fit without
folds j and k serves two choices: k's score needs to know how the settings do on j, and j's how
they do on k. With 5 folds that makes 10 fits without a pair of folds and 5 without one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regress.compute.arrays import Matrix, weights_of
from regress.compute.parallel import run_jobs
from regress.models.base import FittedModel, Regressor, Setting
from regress.models.training import FoldData


@dataclass(frozen=True, eq=False)
class Tuned:
    """One regressor, tuned on one feature matrix.

    Attributes
    ----------
    settings
        What there was to choose from.
    errors
        Shape (n_settings, n_targets): mean of the folds' mean squared errors.
    cv_rmse
        Shape (n_settings, n_targets): RMSE of each setting over all folds.
    final
        For each target, the index of the setting chosen over all folds: the lowest of `errors`,
        as `GridSearchCV(scoring="neg_mean_squared_error")` chooses.
    models
        For each target, the model refitted on all rows at that setting; empty before the refit.
    seconds
        Its share of the time that tuning all regressors took.
    chosen
        Shape (n_folds, n_targets): index of the setting chosen for each outer fold without it.
        Empty when not nested.
    predictions
        Shape (n_samples, n_targets): predictions for each fold by a model that was fitted, and
        whose setting was chosen, without that fold. Empty when not nested.
    """

    settings: Sequence[Setting]
    errors: Matrix
    cv_rmse: Matrix
    final: list[int]
    models: list[FittedModel]
    seconds: float
    chosen: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    predictions: Matrix = field(default_factory=lambda: np.empty((0, 0)))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What one regressor, fitted without some folds, makes of each of them.

    Attributes
    ----------
    errors
        By fold, its mean squared error, shape (n_settings, n_targets).
    predictions
        Shape (n_held, n_settings, n_targets); empty where a pair of folds is left out.
    """

    errors: dict[int, Matrix]
    predictions: Matrix
    seconds: float


def tune(
    data: FoldData,
    regressors: Sequence[Regressor],
    *,
    nested: bool = True,
    refit: bool = True,
    n_jobs: int | None = None,
    on_done: Callable[[], object] | None = None,
) -> list[Tuned]:
    """Tune every regressor over the folds, refit it on all rows, and score the whole procedure.

    Parameters
    ----------
    nested
        Whether to spend the fits without pairs of folds, which the honest score needs.
    refit
        Whether to refit on all rows; see `refitted`.
    on_done
        Called `n_steps` times, as jobs end.
    """
    start = time.perf_counter()
    n_folds = data.folds.n_folds
    left_out: list[tuple[int, ...]] = [(fold,) for fold in range(n_folds)]
    if nested:
        left_out += combinations(range(n_folds), 2)
    data.prepare()
    jobs = [(folds,) for folds in left_out]
    held = run_on(data, regressors, n_jobs, on_done)(hold_out, jobs)
    tuned = [
        _choose(data, regressor, dict(zip(left_out, fits, strict=True)), nested)
        for regressor, fits in zip(regressors, zip(*held, strict=True), strict=True)
    ]
    tuned = _paced(tuned, time.perf_counter() - start)
    return refitted(data, regressors, tuned, n_jobs=n_jobs, on_done=on_done) if refit else tuned


def refitted(
    data: FoldData,
    regressors: Sequence[Regressor],
    tuned: Sequence[Tuned],
    *,
    n_jobs: int | None = None,
    on_done: Callable[[], object] | None = None,
) -> list[Tuned]:
    """The same with models of all rows, at the settings chosen over all folds."""
    start = time.perf_counter()
    data.prepare()
    jobs = [(n, [each.settings[i] for i in each.final]) for n, each in enumerate(tuned)]
    models, seconds = zip(*run_on(data, regressors, n_jobs, on_done)(_refit, jobs), strict=True)
    pace = (time.perf_counter() - start) / sum(seconds)
    return [
        replace(each, models=fitted, seconds=each.seconds + spent * pace)
        for each, fitted, spent in zip(tuned, models, seconds, strict=True)
    ]


def pooled(repeats: Sequence[Tuned]) -> Tuned:
    """One regressor's repeats over several splits as one: a setting chosen over all of them.

    `chosen` and `predictions` stay those of the first.
    """
    errors = np.mean([repeat.errors for repeat in repeats], axis=0)
    return replace(
        repeats[0],
        errors=errors,
        cv_rmse=np.mean([repeat.cv_rmse for repeat in repeats], axis=0),
        final=errors.argmin(axis=0).tolist(),
        seconds=sum(repeat.seconds for repeat in repeats),
    )


def run_on(
    data: FoldData,
    regressors: Sequence[Regressor],
    n_jobs: int | None,
    on_done: Callable[[], object] | None,
) -> Any:
    """`run_jobs` of functions that begin with these data and regressors."""
    return partial(
        run_jobs, shared=(data, regressors), n_jobs=n_jobs, memory=data.job_memory,
        on_done=on_done,
        job_bytes=max(regressor.job_bytes(data) for regressor in regressors),
    )  # fmt: skip


def _paced(tuned: Sequence[Tuned], seconds: float) -> list[Tuned]:
    """Workers' seconds brought down to the clock's, each with its share."""
    pace = seconds / sum(each.seconds for each in tuned)
    return [replace(each, seconds=each.seconds * pace) for each in tuned]


def n_steps(n_folds: int, n_regressors: int) -> int:
    """How often a nested `tune` calls `on_done`."""
    return n_folds + n_folds * (n_folds - 1) // 2 + n_regressors


def hold_out(
    data: FoldData, regressors: Sequence[Regressor], left_out: tuple[int, ...]
) -> list[HeldOut]:
    """Fit every regressor, at all settings, without some folds, and score it on each of these."""
    training = data.training(left_out)
    y = data.Y[training.held_rows][:, None]
    by_fold = {fold: training.held_folds == fold for fold in left_out}
    weights = weights_of(data.weights, training.held_rows)
    held = []
    for regressor in regressors:
        start = time.perf_counter()
        predicted = regressor.path(training)
        squared = (predicted - y) ** 2
        errors = {
            fold: np.average(squared[rows], axis=0, weights=weights_of(weights, rows))
            for fold, rows in by_fold.items()
        }
        # Predictions for pairs would be kept for nothing: n_folds - 1 times all rows.
        kept = predicted if len(left_out) == 1 else np.empty((0, 0, 0))
        held.append(HeldOut(errors, kept, time.perf_counter() - start))
    return held


def _choose(
    data: FoldData, regressor: Regressor, held: dict[tuple[int, ...], HeldOut], nested: bool
) -> Tuned:
    n_folds = data.folds.n_folds
    errors = np.stack([held[(fold,)].errors[fold] for fold in range(n_folds)])
    shares = data.masses / data.masses.sum()
    tuned = Tuned(
        settings=regressor.settings(),
        errors=(mean := errors.mean(axis=0)),
        cv_rmse=np.sqrt(np.tensordot(shares, errors, axes=1)),
        final=mean.argmin(axis=0).tolist(),
        models=[],
        seconds=sum(fit.seconds for fit in held.values()),
    )
    if not nested:
        return tuned
    chosen = np.empty((n_folds, data.Y.shape[1]), dtype=np.int64)
    predictions = np.empty_like(data.Y)
    for outer in range(n_folds):
        inner = [
            held[min(outer, fold), max(outer, fold)].errors[fold]
            for fold in range(n_folds)
            if fold != outer
        ]
        chosen[outer], predicted = choose_for(held[(outer,)], inner)
        predictions[data.folds.rows([outer])] = predicted
    return replace(tuned, chosen=chosen, predictions=predictions)


def choose_for(outer: HeldOut, inner: Sequence[Matrix]) -> tuple[NDArray[np.int64], Matrix]:
    """The setting that inner folds choose for each target, and what it predicts for the outer.

    Parameters
    ----------
    outer
        Fitted without the outer fold.
    inner
        For each inner fold, errors of fits without it and the outer: (n_settings, n_targets).

    Returns
    -------
    Shapes (n_targets,) and (n_held, n_targets).
    """
    best = np.mean(inner, axis=0).argmin(axis=0)
    return best, np.take_along_axis(outer.predictions, best[None, None], axis=1)[:, 0]


def _refit(
    data: FoldData, regressors: Sequence[Regressor], number: int, chosen: Sequence[Setting]
) -> tuple[list[FittedModel], float]:
    start = time.perf_counter()
    models = regressors[number].refit(data.training(), chosen)
    return models, time.perf_counter() - start
