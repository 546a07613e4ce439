"""Cells of a sweep: one regressor on one selection, fitted without this or that fold.

A part is what a cell predicts for the rows of one or two folds that it was fitted without, at
every setting. Parts without a pair of folds choose settings, parts without one fold score them,
as in `regress.tuning`. Each part is a file, so that a sweep that is called again goes on where it
stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.disk.atomic import replacing
from features.keys import digest
from regress.data.folds import Folds
from regress.data.task import Task
from regress.models.base import Matrix, Setting
from regress.models.estimator import TunedRegressor
from regress.sweep.candidates import Cell

#: Folds that a part was fitted without: one, or two in ascending order.
LeftOut = tuple[int, ...]


def singles(folds: Folds) -> list[LeftOut]:
    """What the cross-validated score needs: each fold left out."""
    return [(fold,) for fold in range(folds.n_folds)]


def pairs_with(folds: Folds, outer: int) -> list[LeftOut]:
    """What choosing without fold `outer` needs: each other fold left out beside it."""
    return [pair for pair in combinations(range(folds.n_folds), 2) if outer in pair]


def leaving_out(outer: int | None, fold: int) -> LeftOut:
    """What scores `fold` where `outer` must not be seen."""
    return (fold,) if outer is None else (min(outer, fold), max(outer, fold))


def every_part(folds: Folds) -> list[LeftOut]:
    """What a nested score needs: each fold, and each pair of folds, left out."""
    return [*singles(folds), *combinations(range(folds.n_folds), 2)]


class Store:
    """Parts on disk, keyed by everything that decides their numbers.

    Parameters
    ----------
    folder
        Made where it does not exist.
    fingerprints
        Of the banks, by name.
    task, folds, regressors
        What is regressed on what, and by what.
    """

    def __init__(
        self,
        folder: Path,
        fingerprints: dict[str, str],
        task: Task,
        folds: Folds,
        regressors: dict[str, TunedRegressor],
    ) -> None:
        self.folder, self.task, self.folds = folder, task, folds
        self.regressors = regressors
        self._common = [
            fingerprints, task.keys_digest, digest(task.Y), folds.digest, digest(folds.numbers),
        ]  # fmt: skip
        if task.weights is not None:
            self._common.append(digest(task.weights))
        self._settings = {
            name: [type(regressor).__name__, _parameters(regressor)]
            for name, regressor in regressors.items()
        }
        self._errors: dict[tuple[Cell, LeftOut], dict[int, Matrix]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def settings(self, cell: Cell) -> list[Setting]:
        """What a cell's regressor chooses from."""
        return list(self.regressors[cell.model].settings())

    def has(self, cell: Cell, left_out: LeftOut) -> bool:
        """Whether a part is finished."""
        return (cell, left_out) in self._errors or self.is_whole(self._path(cell, left_out))

    def is_whole(self, path: Path) -> bool:
        """Whether an array is there to be read: a power cut can leave files without their end."""
        try:
            np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return False
        return True

    def put(self, cell: Cell, left_out: LeftOut, predicted: Matrix) -> None:
        """Keep a part, shape (n_held, n_settings, n_targets)."""
        self.write(self._path(cell, left_out), predicted)

    def write(self, path: Path, array: NDArray[Any]) -> None:
        """Write an array so that its file is whole or not there."""
        with replacing(path, lasting=False) as file:
            np.save(file, array, allow_pickle=False)

    def predictions(self, cell: Cell, left_out: LeftOut) -> Matrix:
        """A part, shape (n_held, n_settings, n_targets)."""
        part: Matrix = np.load(self._path(cell, left_out), allow_pickle=False)
        return part

    def errors(self, cell: Cell, left_out: LeftOut, fold: int) -> Matrix:
        """Mean squared error of a part on one of its folds, shape (n_settings, n_targets)."""
        if (cell, left_out) not in self._errors:
            held = self.folds.rows(left_out)
            squared = (self.predictions(cell, left_out) - self.task.Y[held][:, None]) ** 2
            of_fold = {one: self.folds.numbers[held] == one for one in left_out}
            weights = None if self.task.weights is None else self.task.weights[held]
            self._errors[cell, left_out] = {
                one: np.average(
                    squared[at], axis=0, weights=None if weights is None else weights[at]
                )
                for one, at in of_fold.items()
            }
        return self._errors[cell, left_out][fold]

    def path_of(self, *what: object) -> Path:
        """Where something that these banks, texts, targets and folds decide is kept."""
        text = json.dumps([self._common, what], sort_keys=True, default=str)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"

    def _path(self, cell: Cell, left_out: LeftOut) -> Path:
        return self.path_of(self._settings[cell.model], cell.candidate.terms, left_out)


def _parameters(regressor: TunedRegressor) -> dict[str, Any]:
    """What decides a regressor's numbers: not how many threads it gets."""
    return {name: v for name, v in regressor.get_params().items() if name not in ("n_jobs", "cv")}


class Scoring:
    """Choices and scores that follow from the parts of cells, for one target.

    Every method that takes `outer` looks at no row of that fold, but for `outer_predictions`.

    Parameters
    ----------
    stores
        One for all folds; or one a fold, where each fold has its own bank.
    target
        Index of the target.
    """

    def __init__(self, stores: Sequence[Store], target: int) -> None:
        self.stores, self.target, self.folds = stores, target, stores[0].folds
        self._inner: dict[tuple[Cell, int | None], Matrix] = {}

    def store(self, fold: int) -> Store:
        """Where parts are that score a fold, or that choose for it."""
        return self.stores[fold if len(self.stores) > 1 else 0]

    def errors(self, cell: Cell, outer: int | None) -> Matrix:
        """Mean squared error of each setting, (n_settings,), over the folds but `outer`."""
        if (cell, outer) not in self._inner:
            folds = [fold for fold in range(self.folds.n_folds) if fold != outer]
            self._inner[cell, outer] = self.errors_of_each(dict.fromkeys(folds, cell), outer)
        return self._inner[cell, outer]

    def errors_of_each(self, cells: Mapping[int, Cell], outer: int | None) -> Matrix:
        """The same where each fold is scored by a cell of its own, with the same settings."""
        parts = [
            self.store(fold if outer is None else outer).errors(
                cell, leaving_out(outer, fold), fold
            )
            for fold, cell in cells.items()
        ]
        return np.asarray(np.mean(parts, axis=0)[:, self.target])

    def chosen(self, cell: Cell, outer: int) -> int:
        """Index of the setting with the lowest error over the folds but `outer`."""
        return int(self.errors(cell, outer).argmin())

    def outer_predictions(self, cell: Cell, outer: int) -> Matrix:
        """For the rows of `outer`, by a fit without it at the setting chosen without it."""
        part = self.store(outer).predictions(cell, (outer,))
        return part[:, self.chosen(cell, outer), self.target]

    def inner_predictions(self, cell: Cell, outer: int) -> Matrix:
        """For all rows but those of `outer` (NaN there), each by a fit without its own fold too.

        Shape (n_samples,), at the setting that is chosen without `outer`.
        """
        predicted = np.full(len(self.folds), np.nan)
        at = self.chosen(cell, outer)
        for fold in range(self.folds.n_folds):
            if fold != outer:
                left_out = leaving_out(outer, fold)
                held = self.folds.rows(left_out)
                here = self.folds.numbers[held] == fold
                part = self.store(outer).predictions(cell, left_out)
                predicted[held[here]] = part[here, at, self.target]
        return predicted

    def nested_predictions(self, cell: Cell) -> Matrix:
        """For all rows, each fold by a setting that was chosen and fitted without it."""
        predicted = np.empty(len(self.folds))
        for outer in range(self.folds.n_folds):
            predicted[self.folds.rows([outer])] = self.outer_predictions(cell, outer)
        return predicted

    def cv_rmse(self, cell: Cell) -> Matrix:
        """Cross-validated RMSE over all rows of each setting, shape (n_settings,)."""
        weights = self.stores[0].task.weights
        masses = np.bincount(self.folds.numbers, weights, self.folds.n_folds)
        errors = [
            self.store(fold).errors(cell, (fold,), fold)[:, self.target]
            for fold in range(self.folds.n_folds)
        ]
        return np.asarray(np.sqrt((masses / masses.sum()) @ np.stack(errors)))
