"""Means, deviations and products of every training set, from one pass over the features.

Each fold's count, sums, squares and (where columns are few) X'X are taken once, in float64. A
training set's are the sums over the folds it keeps, and its standardised X'X follows by centring
and by dividing by ``sd sd'``: exactly what a scaler fitted inside the fold would have given. X is
shifted by its first row before, since centring a product of large numbers afterwards loses
digits. Where columns outnumber rows, the n x n products K = XX' of the standardised rows take
the place of X'X.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regress.folds import Folds

Matrix = NDArray[np.float64]
Rows = NDArray[np.int64]

#: A column whose standard deviation is within this share of its magnitude counts as constant:
#: what is left of it is the rounding of the float32 it was computed in.
CONSTANT = 1e-6
#: Values that are converted to float64 at a time (128 MiB).
CHUNK = 1 << 24


class FoldData:
    """Features, targets and folds, with the statistics that all training sets share.

    Parameters
    ----------
    X
        Shape (n_samples, n_features), float32 or float64, finite.
    Y
        Shape (n_samples, n_targets), float64, finite.
    folds
        The fold of each row.
    """

    def __init__(self, X: NDArray[Any], Y: Matrix, folds: Folds) -> None:
        self.X, self.Y, self.folds = X, Y, folds
        self.shift: Matrix = X[0].astype(np.float64)
        shape = (folds.n_folds, X.shape[1])
        self.counts = np.bincount(folds.numbers, minlength=folds.n_folds)
        self.sums, self.squares = np.zeros(shape), np.zeros(shape)
        for fold in range(folds.n_folds):
            for Z, _ in self._chunks(fold):
                self.sums[fold] += Z.sum(axis=0)
                self.squares[fold] += np.einsum("ij,ij->j", Z, Z)

    @property
    def primal(self) -> bool:
        """Whether X'X is the smaller product for the smallest training sets."""
        smallest = len(self.X) - np.sort(self.counts)[-2:].sum()
        return bool(self.X.shape[1] <= smallest)

    @cached_property
    def grams(self) -> tuple[Matrix, Matrix]:
        """X'X, shape (n_folds, D, D), and X'Y, shape (n_folds, D, n_targets), of shifted X."""
        n_features, n_targets = self.X.shape[1], self.Y.shape[1]
        XX = np.zeros((self.folds.n_folds, n_features, n_features))
        XY = np.zeros((self.folds.n_folds, n_features, n_targets))
        for fold in range(self.folds.n_folds):
            for Z, rows in self._chunks(fold):
                XX[fold] += Z.T @ Z
                XY[fold] += Z.T @ self.Y[rows]
        return XX, XY

    def prepare(self) -> None:
        """Take the products that training sets share, before several threads ask for them."""
        if self.primal:
            _ = self.grams

    @property
    def job_bytes(self) -> int:
        """Memory that fitting one training set takes at the most, about."""
        n_samples, n_features = self.X.shape
        side = n_features if self.primal else n_samples
        chunk = n_samples * min(n_features, CHUNK // n_samples)
        return int(8 * (5 * side * side + 3 * chunk))

    def _chunks(self, fold: int) -> Iterator[tuple[Matrix, Rows]]:
        """Shifted rows of a fold in float64, with their numbers, a bounded number at a time."""
        rows = self.folds.rows([fold])
        for chunk in np.array_split(rows, max(1, len(rows) * self.X.shape[1] // CHUNK)):
            yield self.X[chunk] - self.shift, chunk

    def training(self, left_out: Sequence[int] = ()) -> TrainingSet:
        """All rows but those of the folds left out."""
        return TrainingSet(self, left_out)


class TrainingSet:
    """The rows that some folds leave, standardised by their own mean and deviation.

    Attributes
    ----------
    rows, held_rows
        Numbers of the training rows, and of the rows left out; both ascending.
    mean, scale
        Shape (n_features,), of the training rows; `scale` is infinite for constant columns, so
        that these become zero, in training and held-out rows alike.
    n_active
        Columns that are not constant.
    Y, y_mean
        Targets of the training rows, shape (n_train, n_targets), and their mean (n_targets,).
    """

    def __init__(self, data: FoldData, left_out: Sequence[int] = ()) -> None:
        self.data = data
        self.left_out = tuple(left_out)
        self.kept = [fold for fold in range(data.folds.n_folds) if fold not in self.left_out]
        self.rows = data.folds.rows(self.kept)
        self.held_rows = data.folds.rows(self.left_out)
        self.Y = data.Y[self.rows]
        self.y_mean: Matrix = self.Y.mean(axis=0)
        n = len(self.rows)
        # The folds kept are added up, rather than the others subtracted from a total: an
        # outlier in a fold left out would leave its rounding behind.
        self._kernel: Matrix | None = None
        self._mean = data.sums[self.kept].sum(axis=0) / n
        variance = data.squares[self.kept].sum(axis=0) / n - self._mean**2
        deviation = np.sqrt(np.maximum(variance, 0))
        self.mean: Matrix = self._mean + data.shift
        magnitude = np.abs(self.mean) + np.abs(data.shift)
        self.scale: Matrix = np.where(deviation > CONSTANT * magnitude, deviation, np.inf)
        self.n_active = int(np.isfinite(self.scale).sum())

    @property
    def held_folds(self) -> NDArray[np.int64]:
        """Fold number of each held-out row."""
        return self.data.folds.numbers[self.held_rows]

    def standardised(self, rows: Rows, columns: slice = slice(None)) -> Matrix:
        """Rows of X, centred and scaled, float64."""
        return standardise(self.data.X[rows, columns], self.mean[columns], self.scale[columns])

    def gram(self) -> tuple[Matrix, Matrix]:
        """Standardised X'X, shape (D, D), and X'(Y - mean), shape (D, n_targets)."""
        n, (XX, XY) = len(self.rows), self.data.grams
        A = XX[self.kept[0]].copy()
        for fold in self.kept[1:]:
            A += XX[fold]
        A -= np.outer(n * self._mean, self._mean)
        A /= self.scale[:, None]
        A /= self.scale
        b = XY[self.kept].sum(axis=0) - np.outer(n * self._mean, self.y_mean)
        return A, b / self.scale[:, None]

    @property
    def kernel(self) -> Matrix:
        """Products of the standardised training rows, shape (n_train, n_train)."""
        # No cached_property: before Python 3.12 it holds one lock for all training sets.
        if self._kernel is None:
            self._kernel = np.zeros((len(self.rows), len(self.rows)))
            for columns in self.column_chunks(len(self.rows)):
                Z = self.standardised(self.rows, columns)
                self._kernel += Z @ Z.T
        return self._kernel

    def held_kernel(self) -> tuple[Matrix, Matrix]:
        """Products of held-out with training rows, (n_held, n_train), and with themselves."""
        K = np.zeros((len(self.held_rows), len(self.rows)))
        squares = np.zeros(len(self.held_rows))
        for columns in self.column_chunks(len(self.data.X)):
            H = self.standardised(self.held_rows, columns)
            K += H @ self.standardised(self.rows, columns).T
            squares += np.einsum("ij,ij->i", H, H)
        return K, squares

    def column_chunks(self, n_rows: int) -> Iterator[slice]:
        """Slices of columns, so wide that `n_rows` rows of one stay within `CHUNK` values."""
        width = max(256, CHUNK // n_rows)
        for start in range(0, self.data.X.shape[1], width):
            yield slice(start, start + width)


def standardise(X: NDArray[Any], mean: Matrix, scale: Matrix) -> Matrix:
    """``(X - mean) / scale`` in float64; columns of infinite scale become zero."""
    Z: Matrix = X - mean
    Z /= scale
    return Z
