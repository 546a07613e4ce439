"""Means, deviations and products of every training set, from one pass over the features.

Each fold's count, sums, squares and (where columns are few) X'X are taken once, in float64. A
training set's are the sums over the folds it keeps, and its standardised X'X follows by centring
and by dividing by ``sd sd'``: exactly what a scaler fitted inside the fold would have given. X is
shifted by the median of some rows before, since centring a product of large numbers afterwards
loses digits. Where columns outnumber rows, the n x n products K = XX' of the standardised rows take
the place of X'X.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regress.compute.arrays import Matrix, Rows, weights_of
from regress.compute.memory import available_memory, chunk_values
from regress.compute.shifted import ShiftedSystem
from regress.data.folds import Folds
from regress.data.matrix import StreamedMatrix

#: A column whose standard deviation is within this share of its mean counts as constant: what is
#: left of it is the rounding of the dtype it was computed in.
CONSTANT = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-13}

#: The same share of how far a training set's mean is from where sums are taken: what is left is
#: the rounding of squares of float64.
ROUNDING = 1e-6

#: Rows whose median X is shifted by: few of them may be far from all others.
SHIFT_ROWS = 31


class Size(NamedTuple):
    """How large a task is, which decides how it is fitted best, and how long that takes."""

    n_samples: int
    n_columns: int
    n_train: int
    """Rows of the smallest training set, which leaves out the two largest folds."""

    @property
    def primal(self) -> bool:
        """Whether X'X, of columns, is a smaller product than XX', of training rows."""
        return self.n_columns <= self.n_train


class FoldData:
    """Features, targets and folds, with the statistics that all training sets share.

    Parameters
    ----------
    X
        Shape (n_samples, n_features), float32 or float64, finite; in memory, or read from the
        bank a part at a time.
    Y
        Shape (n_samples, n_targets), float64, finite.
    folds
        The fold of each row.
    weights
        Shape (n_samples,), float64, positive: how much each row counts, in means and deviations
        as in fits and scores. None for all alike.
    memory
        Bytes that fits may take; None for all that are free.

    Attributes
    ----------
    chunk
        Values that are converted to float64 at a time.
    counts, masses
        Shape (n_folds,): rows of each fold, and the sum of their weights.
    """

    def __init__(
        self,
        X: NDArray[Any] | StreamedMatrix,
        Y: Matrix,
        folds: Folds,
        weights: Matrix | None = None,
        *,
        memory: int | None = None,
    ) -> None:
        self.X, self.Y, self.folds, self.weights = X, Y, folds, weights
        self.memory, self.chunk = memory, chunk_values(memory)
        some = np.unique(np.linspace(0, len(X) - 1, SHIFT_ROWS).astype(np.int64))
        self.shift: Matrix = np.median(X[some].astype(np.float64), axis=0)
        # Near zero, so that sums of products keep what targets around 1e12 differ in.
        self.y_shift: Matrix = Y.mean(axis=0)
        shape = (folds.n_folds, X.shape[1])
        self.counts = np.bincount(folds.numbers, minlength=folds.n_folds)
        self.masses: Matrix = np.bincount(folds.numbers, weights, folds.n_folds).astype(np.float64)
        self.sums, self.squares = np.zeros(shape), np.zeros(shape)
        for fold in range(folds.n_folds):
            for Z, rows in self._chunks(fold):
                wZ = self.weighted(Z, rows)
                self.sums[fold] += wZ.sum(axis=0)
                self.squares[fold] += np.einsum("ij,ij->j", wZ, Z)

    def weighted(self, Z: Matrix, rows: Rows) -> Matrix:
        """Rows of Z, each times its weight."""
        return Z if self.weights is None else Z * self.weights[rows, None]

    @property
    def primal(self) -> bool:
        """Whether X'X is the smaller product for the smallest training sets."""
        return Size(len(self.X), self.X.shape[1], self.folds.n_train).primal

    @property
    def held_bytes(self) -> int:
        """Memory that the features take for as long as they are fitted on."""
        return 0 if isinstance(self.X, StreamedMatrix) else int(self.X.nbytes)

    @property
    def grams_bytes(self) -> int:
        """Memory that the X'X of every fold takes, with X'Y."""
        n_features = self.X.shape[1]
        return int(8 * self.folds.n_folds * n_features * (n_features + self.Y.shape[1]))

    @cached_property
    def keeps_grams(self) -> bool:
        """Whether X'X is taken once for every fold: it may fill half of what X leaves free."""
        if not self.primal:
            return False
        free = available_memory() if self.memory is None else self.memory - self.held_bytes
        return self.grams_bytes <= free // 2

    @property
    def job_memory(self) -> int | None:
        """What is left for all jobs together, where memory is limited."""
        if self.memory is None:
            return None  # what is free by then is asked of the system
        return max(1, self.memory - self.held_bytes - self.keeps_grams * self.grams_bytes)

    @cached_property
    def grams(self) -> list[tuple[Matrix, Matrix]]:
        """What `fold_gram` gives, of every fold."""
        return [self._fold_gram(fold) for fold in range(self.folds.n_folds)]

    def fold_gram(self, fold: int) -> tuple[Matrix, Matrix]:
        """Of a fold's shifted X and Y, X'WX, shape (D, D), and X'WY, shape (D, n_targets)."""
        return self.grams[fold] if self.keeps_grams else self._fold_gram(fold)

    def _fold_gram(self, fold: int) -> tuple[Matrix, Matrix]:
        n_features = self.X.shape[1]
        XX, XY = np.zeros((n_features, n_features)), np.zeros((n_features, self.Y.shape[1]))
        for Z, rows in self._chunks(fold):
            wZ = self.weighted(Z, rows)
            XX += wZ.T @ Z
            XY += wZ.T @ (self.Y[rows] - self.y_shift)
        return XX, XY

    def prepare(self) -> None:
        """Take the products that training sets share, before several threads ask for them."""
        if self.keeps_grams:
            _ = self.grams

    @property
    def job_bytes(self) -> int:
        """Memory that fitting one training set takes at the most, about."""
        n_samples, n_features = self.X.shape
        side = n_features if self.primal else n_samples
        n_squares = 5 if self.keeps_grams or not self.primal else 7
        chunk = n_samples * min(n_features, max(1, self.chunk // n_samples))
        return int(8 * (n_squares * side * side + 3 * chunk))

    def _chunks(self, fold: int) -> Iterator[tuple[Matrix, Rows]]:
        """Shifted rows of a fold in float64, with their numbers, a bounded number at a time."""
        rows = self.folds.rows([fold])
        for chunk in np.array_split(rows, max(1, len(rows) * self.X.shape[1] // self.chunk)):
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
    weights
        Shape (n_train,), or None; means and deviations are weighted too, as
        ``StandardScaler().fit(X, sample_weight=weights)`` has them.
    """

    def __init__(self, data: FoldData, left_out: Sequence[int] = ()) -> None:
        self.data = data
        self.left_out = tuple(left_out)
        self.kept = [fold for fold in range(data.folds.n_folds) if fold not in self.left_out]
        self.rows = data.folds.rows(self.kept)
        self.held_rows = data.folds.rows(self.left_out)
        self.Y = data.Y[self.rows]
        self.weights = weights_of(data.weights, self.rows)
        self.y_mean: Matrix = np.average(self.Y, axis=0, weights=self.weights)
        self.mass = n = float(data.masses[self.kept].sum())
        # The folds kept are added up, rather than the others subtracted from a total: an
        # outlier in a fold left out would leave its rounding behind.
        self._kernel: Matrix | None = None
        self._mean = data.sums[self.kept].sum(axis=0) / n
        variance = data.squares[self.kept].sum(axis=0) / n - self._mean**2
        deviation = np.sqrt(np.maximum(variance, 0))
        self.mean: Matrix = self._mean + data.shift
        share = CONSTANT.get(np.dtype(data.X.dtype), CONSTANT[np.dtype(np.float32)])
        noise = share * np.abs(self.mean) + ROUNDING * np.abs(self._mean)
        self.scale: Matrix = np.where(deviation > noise, deviation, np.inf)
        self.n_active = int(np.isfinite(self.scale).sum())

    @property
    def held_folds(self) -> NDArray[np.int64]:
        """Fold number of each held-out row."""
        return self.data.folds.numbers[self.held_rows]

    def standardised(self, rows: Rows, columns: slice = slice(None)) -> Matrix:
        """Rows of X, centred and scaled, float64."""
        X = self.data.X[rows, columns]
        return standardise(X, self.mean[columns], self.scale[columns])

    def gram(self) -> tuple[Matrix, Matrix]:
        """Standardised X'WX, shape (D, D), and X'W(Y - mean), shape (D, n_targets)."""
        n, (first, *others) = self.mass, self.kept
        XX, XY = self.data.fold_gram(first)
        A, b = XX.copy(), XY.copy()
        for fold in others:
            XX, XY = self.data.fold_gram(fold)
            A += XX
            b += XY
        A -= np.outer(n * self._mean, self._mean)
        A /= self.scale[:, None]
        A /= self.scale
        y_mean = self.y_mean - self.data.y_shift  # of what is in XY
        b -= np.outer(n * self._mean, y_mean)
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

    def dual_weights(self, K: Matrix, alphas: Matrix) -> Matrix:
        """``(K + alpha I)^-1 (Y - y_mean)``, shape (n_train, n_alphas, n_targets).

        With sample weights W it is ``W^1/2 (W^1/2 K W^1/2 + alpha I)^-1 W^1/2 (Y - y_mean)``.

        Parameters
        ----------
        K
            Shape (n_train, n_train): any kernel of the training rows. It is **overwritten**.
        alphas
            Shape (n_alphas,), float64.
        """
        centred = self.Y - self.y_mean
        if self.weights is None:
            return ShiftedSystem(K).solve(centred, alphas)
        roots = np.sqrt(self.weights)
        K *= roots
        K *= roots[:, None]
        return ShiftedSystem(K).solve(centred * roots[:, None], alphas) * roots[:, None, None]

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
        """Slices of columns, so wide that `n_rows` rows of one stay within the chunk's values."""
        width = max(256, self.data.chunk // n_rows)
        for start in range(0, self.data.X.shape[1], width):
            yield slice(start, start + width)


def standardise(X: NDArray[Any], mean: Matrix, scale: Matrix) -> Matrix:
    """``(X - mean) / scale`` in float64; columns of infinite scale become zero."""
    Z: Matrix = X - mean
    Z /= scale
    return Z
