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

import numpy as np
from numpy.typing import NDArray

from regress.model import FittedModel, Matrix, Regressor, Setting
from regress.parallel import run_jobs
from regress.statistics import FoldData


@dataclass(frozen=True, eq=False)
class Tuned:
    """One regressor, tuned on one feature matrix.

    Attributes
    ----------
    settings
        What there was to choose from.
    cv_rmse
        Shape (n_settings, n_targets): RMSE of each setting over all folds.
    final
        For each target, the index of the setting chosen over all folds: lowest mean of the folds'
        mean squared errors, as `GridSearchCV(scoring="neg_mean_squared_error")` chooses.
    models
        For each target, the model refitted on all rows at that setting.
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
    cv_rmse: Matrix
    final: list[int]
    models: list[FittedModel]
    seconds: float
    chosen: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))
    predictions: Matrix = field(default_factory=lambda: np.empty((0, 0)))


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """What one regressor, fitted without some folds, makes of each of them."""

    errors: dict[int, Matrix]  # fold: mean squared error, (n_settings, n_targets)
    predictions: Matrix  # (n_held, n_settings, n_targets); empty for pairs of folds
    seconds: float


def tune(
    data: FoldData,
    regressors: Sequence[Regressor],
    *,
    nested: bool = True,
    n_jobs: int | None = None,
    on_done: Callable[[], object] | None = None,
) -> list[Tuned]:
    """Tune every regressor over the folds, refit it on all rows, and score the whole procedure.

    Parameters
    ----------
    nested
        Whether to spend the fits without pairs of folds, which the honest score needs.
    on_done
        Called `n_steps` times, as jobs end.
    """
    start = time.perf_counter()
    n_folds = data.folds.n_folds
    left_out: list[tuple[int, ...]] = [(fold,) for fold in range(n_folds)]
    if nested:
        left_out += combinations(range(n_folds), 2)
    data.prepare()
    run = partial(run_jobs, n_jobs=n_jobs, job_bytes=data.job_bytes, on_done=on_done)
    held = run(_hold_out, [(data, regressors, folds) for folds in left_out])
    tuned = [
        _choose(data, regressor, dict(zip(left_out, of_regressor, strict=True)), nested)
        for regressor, of_regressor in zip(regressors, zip(*held, strict=True), strict=True)
    ]
    refits = [(data, regressor, of) for regressor, of in zip(regressors, tuned, strict=True)]
    refitted = run(_refit, refits)
    pace = (time.perf_counter() - start) / sum(of.seconds for of in refitted)
    return [replace(of, seconds=of.seconds * pace) for of in refitted]


def n_steps(n_folds: int, n_regressors: int) -> int:
    """How often a nested `tune` calls `on_done`."""
    return n_folds + n_folds * (n_folds - 1) // 2 + n_regressors


def _hold_out(
    data: FoldData, regressors: Sequence[Regressor], left_out: tuple[int, ...]
) -> list[_HeldOut]:
    """Fit every regressor, at all settings, without some folds, and score it on each of these."""
    training = data.training(left_out)
    y = data.Y[training.held_rows][:, None]
    held = []
    for regressor in regressors:
        start = time.perf_counter()
        predicted = regressor.path(training)
        squared = (predicted - y) ** 2
        errors = {fold: squared[training.held_folds == fold].mean(axis=0) for fold in left_out}
        # Predictions for pairs would be kept for nothing: n_folds - 1 times all rows.
        kept = predicted if len(left_out) == 1 else np.empty((0, 0, 0))
        held.append(_HeldOut(errors, kept, time.perf_counter() - start))
    return held


def _choose(
    data: FoldData, regressor: Regressor, held: dict[tuple[int, ...], _HeldOut], nested: bool
) -> Tuned:
    n_folds = data.folds.n_folds
    errors = np.stack([held[(fold,)].errors[fold] for fold in range(n_folds)])
    shares = data.counts / data.counts.sum()
    tuned = Tuned(
        settings=regressor.settings(),
        cv_rmse=np.sqrt(np.tensordot(shares, errors, axes=1)),
        final=errors.mean(axis=0).argmin(axis=0).tolist(),
        models=[],
        seconds=sum(one.seconds for one in held.values()),
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
        chosen[outer] = np.mean(inner, axis=0).argmin(axis=0)
        at = chosen[outer][None, None]
        rows = data.folds.rows([outer])
        predictions[rows] = np.take_along_axis(held[(outer,)].predictions, at, axis=1)[:, 0]
    return replace(tuned, chosen=chosen, predictions=predictions)


def _refit(data: FoldData, regressor: Regressor, tuned: Tuned) -> Tuned:
    start = time.perf_counter()
    models = regressor.refit(data.training(), [tuned.settings[at] for at in tuned.final])
    return replace(tuned, models=models, seconds=tuned.seconds + time.perf_counter() - start)
