"""Blending runs: their out-of-fold predictions choose the weights, their models do the work.

The score of a blend is nested: the weights that predict a fold are fitted without it. Where every
run says what its models predict when they are refitted without each outer fold (as sweeps do, in
``inner.npz``), the weights are fitted on that, and the score is honest without reserve. Otherwise
they are stacked on out-of-fold predictions: those of other folds come from models that saw the
scored fold, which can flatter slightly, and the label says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from features.paths import as_paths
from regress.blend.bases import BlendBase, blend_runs
from regress.blend.blended import HONEST, STACKED, Blend, Blended
from regress.blend.weights import METHODS, Method, Weights, mean_weights
from regress.compute.arrays import Matrix, weights_of
from regress.evaluation.metrics import mean_scores, rmse, rmse_by_fold, score
from regress.evaluation.oof import WEIGHT, as_numbers
from regress.evaluation.results import Repeat
from regress.runs.run import load_run


def blend(runs: Sequence[str | Path], *, method: str = "nnls") -> Blend:
    """Blend all models of several runs.

    Parameters
    ----------
    runs
        Run folders with the same texts, targets and folds.
    method
        ``"nnls"`` or ``"ridge"``.

    Raises
    ------
    RunError
        A folder that is no run, or a damaged one.
    InputError
        Runs with other texts, targets or folds, fewer than two models, an unknown method.
    """
    if method not in METHODS:
        raise InputError(f"there is no method {method!r}: it is one of {', '.join(METHODS)}")
    loaded = [load_run(path) for path in dict.fromkeys(path.absolute() for path in as_paths(runs))]
    if not loaded:
        raise InputError("name the runs to blend")
    members, banks = blend_runs(loaded)
    first, table = loaded[0], members[0].table
    splits = first.fold_numbers(table)
    weighted = first.description["texts"].get("weighted")
    sample_weight = np.array(table[WEIGHT], dtype=np.float64) if weighted else None
    targets = []
    for target in first.targets:
        bases = [base for member in members for base in member.bases(target)]
        if len(bases) < 2:
            raise InputError(
                f"{first.path} holds one model, and one cannot be blended: name another run"
            )
        y = as_numbers(table[target])
        targets.append(_blended(target, bases, y, sample_weight, splits, METHODS[method]))
    return Blend(loaded, banks, table, targets, method)


def _blended(
    target: str,
    bases: Sequence[BlendBase],
    y: Matrix,
    sample_weight: Matrix | None,
    splits: Sequence[NDArray[np.int64]],
    fit: Method,
) -> Blended:
    """Blend one target; `splits` has the fold of each row, on each split."""
    known = np.flatnonzero(~np.isnan(y))  # all but these are of no concern
    y, sample_weight = y[known], weights_of(sample_weight, known)
    splits = [folds[known] for folds in splits]
    predicted = [[split[known] for split in base.predictions] for base in bases]
    inner = [[array[:, known] for array in base.inner] for base in bases if base.inner is not None]
    honest = len(inner) == len(bases)
    repeats: list[Repeat] = []
    fitted: list[Weights] = []
    for number, folds in enumerate(splits):
        A = np.stack([of_base[number] for of_base in predicted], axis=1)
        unseeing = [arrays[number] for arrays in inner] if honest else None
        fitted.append(fit(A, y, folds, sample_weight))
        predictions = _nested(A, unseeing, y, sample_weight, folds, fit)
        repeats.append(_scored(y, predictions, sample_weight, folds, fitted[-1].apply(A)))
    best = [np.mean([rmse(y, each, sample_weight) for each in of_base]) for of_base in predicted]
    n_rows = len(bases[0].predictions[0])
    repeats = [repeat.spread(known, n_rows) for repeat in repeats]
    return Blended(
        target=target,
        bases=bases,
        weights=mean_weights(fitted),
        predictions=repeats[0].predictions,
        scores=mean_scores([repeat.scores for repeat in repeats]),
        fold_rmse=repeats[0].fold_rmse,
        naive_rmse=float(np.mean([repeat.naive_rmse for repeat in repeats])),
        best=float(min(best)),
        label=HONEST if honest else STACKED,
        repeats=repeats[1:],
    )


def _nested(
    A: Matrix,
    inner: Sequence[Matrix] | None,
    y: Matrix,
    sample_weight: Matrix | None,
    folds: NDArray[np.int64],
    fit: Method,
) -> Matrix:
    """Each fold by weights that were fitted without it, shape (n_samples,).

    Parameters
    ----------
    A
        Shape (n_samples, n_bases): out-of-fold predictions.
    inner
        Of each base, shape (n_folds, n_samples): predictions of models that saw neither the row
        nor the fold.
    """
    predictions = np.empty(len(y))
    for fold in range(int(folds.max()) + 1):
        rest, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        unseeing = None if inner is None else [array[fold, rest] for array in inner]
        seen = A[rest] if unseeing is None else np.stack(unseeing, axis=1)
        weights = fit(seen, y[rest], folds[rest], weights_of(sample_weight, rest))
        predictions[held] = weights.apply(A[held])
    return predictions


def _scored(
    y: Matrix,
    predictions: Matrix,
    sample_weight: Matrix | None,
    folds: NDArray[np.int64],
    naive: Matrix,
) -> Repeat:
    """The scores of nested predictions on one split; `naive` are those of all rows' weights."""
    return Repeat(
        predictions=predictions,
        scores=score(y, predictions, sample_weight),
        naive_rmse=rmse(y, naive, sample_weight),
        fold_rmse=rmse_by_fold(y, predictions, folds, sample_weight),
        fold_params=[],
    )
