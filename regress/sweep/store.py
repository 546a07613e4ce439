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

from features.errors import RunError
from features.keys import digest
from regress.compute.arrays import Matrix, weights_of
from regress.data.folds import Folds
from regress.data.task import Task
from regress.models.base import Setting
from regress.models.estimator import TunedRegressor
from regress.sweep.candidates import Candidate
from regress.sweep.parts import SUFFIX, Parts
from regress.sweep.products import LeftOut


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
        self.parts, self.task, self.folds = Parts(folder), task, folds
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

    def settings(self, candidate: Candidate) -> list[Setting]:
        """What a candidate's regressor chooses from."""
        return list(self.regressors[candidate.model].settings())

    def has(self, candidate: Candidate, left_out: LeftOut) -> bool:
        """Whether a fit is finished, and kept as it was."""
        return (candidate, left_out) in self._errors or self._read(candidate, left_out) is not None

    def put(self, candidate: Candidate, left_out: LeftOut, predicted: Matrix) -> None:
        """Keep what a fit predicts, shape (n_held, n_settings, n_targets)."""
        self.parts.write(self._path(candidate, left_out), predicted)

    def predictions(self, candidate: Candidate, left_out: LeftOut) -> Matrix:
        """What a finished fit predicts for the rows it left out.

        Returns
        -------
        Shape (n_held, n_settings, n_targets).

        Raises
        ------
        RunError
            It is not there any more.
        """
        predicted = self._read(candidate, left_out)
        if predicted is None:
            raise RunError(
                f"{self._path(candidate, left_out)} was damaged or removed while the sweep ran: "
                "call again, and only what it held is computed anew"
            )
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
        name = hashlib.sha256(text.encode()).hexdigest()[:32]
        return self.parts.folder / f"{name}{SUFFIX}"

    def _read(self, candidate: Candidate, left_out: LeftOut) -> Matrix | None:
        n_held, n_targets = len(self.folds.rows(left_out)), len(self.task.target_names)
        shape = (n_held, len(self.settings(candidate)), n_targets)
        return self.parts.read(
            self._path(candidate, left_out),
            lambda array: array.shape == shape and array.dtype == np.float64,
        )

    def _path(self, candidate: Candidate, left_out: LeftOut) -> Path:
        settings = self._settings[candidate.model]
        return self.path_of(settings, candidate.selection.terms, left_out)


def _parameters(regressor: TunedRegressor) -> dict[str, Any]:
    """What decides a regressor's numbers: not how many threads it gets."""
    return {name: v for name, v in regressor.get_params().items() if name not in ("n_jobs", "cv")}
