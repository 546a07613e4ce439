"""The finished fits of a sweep, a file each, so that it goes on where it stopped.

A fit is that of a candidate without one or two folds. It leaves what it predicts for the rows of
these, at every setting. Fits without two folds choose settings, and fits without one fold score
them, as in `regress.models.tuning`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.disk.atomic import replacing
from features.keys import digest
from regress.compute.arrays import Matrix, weights_of
from regress.data.folds import Folds
from regress.data.task import Task
from regress.models.base import Setting
from regress.models.estimator import TunedRegressor
from regress.sweep.candidates import Candidate

#: Folds that a fit leaves out: none, one, or two in ascending order.
LeftOut = tuple[int, ...]


def leaving_out(outer: int | None, fold: int) -> LeftOut:
    """What a fit leaves out that scores `fold` and must not see `outer` either."""
    return (fold,) if outer is None else (min(outer, fold), max(outer, fold))


class Store:
    """Held-out predictions on disk, keyed by everything that decides their numbers.

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
            fingerprints, task.keys_digest, digest(task.Y), folds.digest, digest(folds.numbers)
        ]  # fmt: skip
        if task.weights is not None:
            self._common.append(digest(task.weights))
        self._settings = {
            name: [type(regressor).__name__, _parameters(regressor)]
            for name, regressor in regressors.items()
        }
        self._errors: dict[tuple[Candidate, LeftOut], dict[int, Matrix]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def settings(self, candidate: Candidate) -> list[Setting]:
        """What a candidate's regressor chooses from."""
        return list(self.regressors[candidate.model].settings())

    def has(self, candidate: Candidate, left_out: LeftOut) -> bool:
        """Whether a fit is finished."""
        fit = (candidate, left_out)
        return fit in self._errors or self.is_whole(self._path(candidate, left_out))

    def put(self, candidate: Candidate, left_out: LeftOut, predicted: Matrix) -> None:
        """Keep what a fit predicts, shape (n_held, n_settings, n_targets)."""
        self.write(self._path(candidate, left_out), predicted)

    def predictions(self, candidate: Candidate, left_out: LeftOut) -> Matrix:
        """What a fit predicts for the rows it left out, shape (n_held, n_settings, n_targets)."""
        predicted: Matrix = np.load(self._path(candidate, left_out), allow_pickle=False)
        return predicted

    def errors(self, candidate: Candidate, left_out: LeftOut, fold: int) -> Matrix:
        """Mean squared error on a fold that was left out, shape (n_settings, n_targets)."""
        if (candidate, left_out) not in self._errors:
            rows = self.folds.rows(left_out)
            squared = (self.predictions(candidate, left_out) - self.task.Y[rows][:, None]) ** 2
            numbers, weights = self.folds.numbers[rows], weights_of(self.task.weights, rows)
            self._errors[candidate, left_out] = {
                held: np.average(
                    squared[numbers == held], axis=0, weights=weights_of(weights, numbers == held)
                )
                for held in left_out
            }
        return self._errors[candidate, left_out][fold]

    def path_of(self, *key: object) -> Path:
        """Where to keep an array that a key decides, with these banks, texts, targets and folds."""
        text = json.dumps([self._common, key], sort_keys=True, default=str)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"

    def is_whole(self, path: Path) -> bool:
        """Whether an array is there to be read: a power cut can leave files without their end."""
        try:
            np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return False
        return True

    def write(self, path: Path, array: NDArray[Any]) -> None:
        """Write an array so that its file is whole or not there."""
        with replacing(path, lasting=False) as file:
            np.save(file, array, allow_pickle=False)

    def _path(self, candidate: Candidate, left_out: LeftOut) -> Path:
        settings = self._settings[candidate.model]
        return self.path_of(settings, candidate.selection.terms, left_out)


def _parameters(regressor: TunedRegressor) -> dict[str, Any]:
    """What decides a regressor's numbers: not how many threads it gets."""
    return {name: v for name, v in regressor.get_params().items() if name not in ("n_jobs", "cv")}
