"""What a regressor has to offer, and what fitting it leaves behind."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, BinaryIO, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from regress.compute.arrays import Matrix, Rows
from regress.models.archives import opened_archive
from regress.models.training import FoldData, Size, TrainingSet

#: One choice of what is chosen inside the training folds, such as ``{"alpha": 10.0}``.
Setting = Mapping[str, float]

#: Where each block begins in the columns, and where the last one ends: shape (n_blocks + 1,).
Bounds = Sequence[int]

#: Similarities, shape (n_samples, n_others), to others' features of shape (n_others, n_features).
Similarity = Callable[[NDArray[Any]], Matrix]


class Parts(NamedTuple):
    """What predictions are made of; it adds up to them exactly, in units of the target.

    Attributes
    ----------
    base
        Shape (n_samples,): what there is without any block.
    of_blocks
        Shape (n_samples, n_blocks).
    """

    base: Matrix
    of_blocks: Matrix


class FittedModel(ABC):
    """A model of one target that predicts from raw features, saved as data.

    `parts` and `similarity_to` explain predictions; a model may do without.
    """

    #: Whether X has the same blocks from the bank of each fold, side by side.
    fold_wise: ClassVar[bool] = False

    @abstractmethod
    def predict(self, X: NDArray[Any]) -> Matrix:
        """Predictions, shape (n_samples,), for X of shape (n_samples, n_features)."""

    @abstractmethod
    def save(self, stem: Path) -> Path:
        """Write to one file, `stem` with an ending of the model's own; returns its path."""

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> Self:
        """Read back what `save` wrote; an error of any kind where it is something else."""

    def columns_taken(self) -> int | None:
        """How many columns X must have; None where the model does not say."""
        return None

    def parts(self, X: NDArray[Any], bounds: Bounds) -> Parts:
        """Divide predictions for X among the blocks of its columns; InputError where it cannot."""
        raise InputError(
            f"{type(self).__name__} cannot say what its predictions owe to the blocks: name "
            "another --model"
        )

    def similarity_to(self, X: NDArray[Any]) -> Similarity:
        """How similar the model takes others for, 1 for equal; InputError where it cannot say."""
        raise InputError(
            f"{type(self).__name__} cannot say which texts it takes for similar: name another "
            "--model, or leave neighbours out with -k 0"
        )


class Regressor(ABC):
    """A family of settings: fitted at all of them at once, refitted at one.

    The engine asks a regressor what it can do; only the first three methods have to be there.
    """

    #: What `refit` gives, and what a run folder's file is read back as.
    model_class: ClassVar[type[FittedModel]]
    #: The regressor that this one is built on, and has to beat.
    base: ClassVar[str | None] = None

    @abstractmethod
    def settings(self) -> Sequence[Setting]:
        """The settings to choose from."""

    @abstractmethod
    def path(self, training: TrainingSet) -> Matrix:
        """Predictions for the held-out rows at every setting.

        Returns
        -------
        Shape (n_held, n_settings, n_targets).
        """

    @abstractmethod
    def refit(self, training: TrainingSet, chosen: Sequence[Setting]) -> list[FittedModel]:
        """Models of each target, fitted on the training rows at the setting chosen for it."""

    def path_on_products(self, training: TrainingSet) -> Matrix:
        """As `path`, for a training set that has products of its rows and no columns.

        It may overwrite the products.
        """
        return self.path(training)

    def takes_products(self, size: Size) -> bool:
        """Whether such a task is fitted on products of its rows, which add up over blocks."""
        return False

    def is_primal(self, size: Size) -> bool:
        """Whether such a task is fitted on X'X, which all training sets share and one job takes."""
        return False

    def work(self, size: Size) -> float:
        """Seconds of one core that fitting one training set takes, very roughly."""
        return 8.0 * size.n_samples / 3000 + 1e-3

    def job_bytes(self, data: FoldData) -> int:
        """Memory that fitting one training set of these data takes at the most, about."""
        return data.job_bytes

    def compared_rows(self, y: Matrix) -> Rows:
        """Numbers of the training rows, with targets y, that predictions compare a text with."""
        return np.arange(len(y))

    def note(self, n_samples: int) -> str:
        """What users have to know of how so many rows are fitted; mostly nothing."""
        return ""


def block_sums(values: Matrix, bounds: Bounds) -> Matrix:
    """Sums over each block's columns, shape (n_samples, n_blocks)."""
    return np.stack([values[:, a:b].sum(axis=1) for a, b in pairwise(bounds)], axis=1)


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
    """Arrays of an .npz file, as `save_arrays` writes them; pickled objects are refused.

    Raises
    ------
    ValueError
        It is no such file, or one whose arrays are larger than it is.
    OSError
        It cannot be read.
    """
    arrays = {}
    with opened_archive(file) as archive:
        for member in archive.infolist():
            with archive.open(member) as content:
                _check_header(content, member.file_size)
            with archive.open(member) as content:
                array = np.lib.format.read_array(content, allow_pickle=False)
            arrays[member.filename.removesuffix(".npy")] = array
    return arrays


def _check_header(content: IO[bytes], size: int) -> None:
    """ValueError unless a file of so many bytes has those of the array that its header promises."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(content)
    if version not in readers:
        raise ValueError(f"an array is of version {version}")
    shape, _, dtype = readers[version](content)
    if dtype.kind not in "biufU" or not dtype.isnative or not dtype.itemsize:
        raise ValueError(f"an array is of the kind {str(dtype)[:40]}")
    if min(shape, default=0) < 0 or size - content.tell() != math.prod(shape) * dtype.itemsize:
        raise ValueError("an array is not as large as it says")


def load_checked(path: Path, dimensions: Mapping[str, Sequence[str]]) -> dict[str, NDArray[Any]]:
    """The arrays of a model's .npz file, which predictions can be made of.

    Parameters
    ----------
    dimensions
        Of each array by name, what its dimensions count: one name stands for one number. Arrays
        of two dimensions are features as they stood in X, of any precision; others are float64.

    Raises
    ------
    ValueError, OSError
        As `load_arrays`; or the arrays are others, do not fit each other or hold what is not
        finite. A ``scale`` alone may be infinite, and has to be above 0.
    """
    arrays = load_arrays(path)
    if arrays.keys() != dimensions.keys():
        raise ValueError(f"it holds {', '.join(arrays)} and not {', '.join(dimensions)}")
    sizes: dict[str, int] = {}
    for name, counted in dimensions.items():
        array = arrays[name]
        right = array.dtype.kind == "f" if array.ndim == 2 else array.dtype == np.float64
        if not right or array.ndim != len(counted):
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
        for what, size in zip(counted, array.shape, strict=True):
            if sizes.setdefault(what, size) != size:
                raise ValueError(f"{name} has {size} {what}, and others have {sizes[what]}")
        right = bool((array > 0).all() if name == "scale" else np.isfinite(array).all())
        if not right:
            raise ValueError(f"{name} holds what is no number")
    return arrays
