"""What a regressor has to offer, and what fitting it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from regress.models.training import TrainingSet

Matrix = NDArray[np.float64]


#: One choice of what is chosen inside the training folds, such as ``{"alpha": 10.0}``.
Setting = Mapping[str, float]


class FittedModel(Protocol):
    """A model of one target that predicts from raw features, saved as data."""

    def predict(self, X: NDArray[Any]) -> Matrix:
        """Predictions, shape (n_samples,), for X of shape (n_samples, n_features)."""

    def save(self, stem: Path) -> Path:
        """Write to one file, `stem` with an ending of the model's own; returns its path."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read back what `save` wrote."""


class Regressor(Protocol):
    """A family of settings: fitted at all of them at once, refitted at one.

    Adding a regressor takes a class with these three methods and its line in `MODELS`.
    """

    def settings(self) -> Sequence[Setting]:
        """The settings to choose from."""

    def path(self, training: TrainingSet) -> Matrix:
        """Predictions for the held-out rows at every setting.

        Returns
        -------
        Shape (n_held, n_settings, n_targets).
        """

    def refit(self, training: TrainingSet, chosen: Sequence[Setting]) -> list[FittedModel]:
        """Models of each target, fitted on the training rows at the setting chosen for it."""


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> Path:
    """Write arrays and numbers as .npz, which `load_arrays` reads without pickle.

    Raises
    ------
    TypeError
        One is no array of numbers or strings, and would be pickled.
    """
    kept = {name: np.asanyarray(value) for name, value in arrays.items()}
    for name, array in kept.items():
        # By hand: before NumPy 2.2 savez takes allow_pickle for one more array.
        if array.dtype.hasobject:
            raise TypeError(f"{name} holds Python objects: save them as numbers or strings")
    with path.open("wb") as file:
        np.savez(file, **kept)
    return path


def load_arrays(file: Path | BinaryIO) -> dict[str, NDArray[Any]]:
    """Arrays of an .npz file; pickled objects are refused."""
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
