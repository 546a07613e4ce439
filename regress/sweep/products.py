"""Products of rows, block by block, so that a combination of blocks is a sum.

With Z = [Z1 Z2 …] the standardised columns of several blocks, ``ZZ' = Z1 Z1' + Z2 Z2' + …``. So
each block's products are taken once for a training set, and every combination adds n x n
matrices instead of going through its thousands of columns again. An RBF kernel follows from the
same sum, since ``|a - b|^2 = aa + bb - 2ab``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from features.banks import Banks
from features.selection import ResolvedTerm
from regress.compute.arrays import Matrix
from regress.compute.memory import CHUNK, available_memory, total_memory
from regress.data.folds import Folds
from regress.data.matrix import fitting_matrix
from regress.data.task import Task
from regress.models.training import FoldData, TrainingSet
from regress.sweep.candidates import BankBlock

#: Folds that a fit leaves out: none, one, or two in ascending order.
LeftOut = tuple[int, ...]

#: More rows than this, and n x n matrices of float64 (1.2 GB) cost more than they save.
MOST_SUMMED_ROWS = 12_000


class Products(NamedTuple):
    """Products of standardised rows: (n_train, n_train), (n_held, n_train), and (n_held,)."""

    kernel: Matrix
    held: Matrix
    held_squares: Matrix


class Grams:
    """The blocks of a task's texts, and their products for any training set.

    Parameters
    ----------
    banks, task, folds
        Where the texts' blocks are, and which rows are scored in which fold.
    memory
        Bytes that features and products may take; None for half of what is free. Products that
        do not fit are taken again each time they are needed, and columns that do not are read
        from the bank part by part.
    """

    def __init__(self, banks: Banks, task: Task, folds: Folds, memory: int | None = None) -> None:
        self.banks, self.task, self.folds = banks, task, folds
        self.memory = available_memory() // 2 if memory is None else memory
        # What decides numbers must not depend on what else runs on the machine.
        self.steady_memory = total_memory() // 4 if memory is None else memory
        #: `memory` as it was given.
        self.limit = memory
        #: Of `memory`, what one process keeps for itself. Decides no number.
        self.room = self.memory
        self._data: dict[BankBlock, FoldData] = {}
        self._last: tuple[Sequence[ResolvedTerm], FoldData] | None = None
        self._sums: dict[tuple[frozenset[BankBlock], LeftOut], Products] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Another process reads the features from the banks, where it needs them.
        return {**vars(self), "_data": {}, "_last": None, "_sums": {}}

    def require(self) -> None:
        """MissingTexts unless the banks hold every text."""
        for bank in self.banks.by_name.values():
            bank.require_keys(self.task.keys)

    def fold_data(self, terms: Sequence[ResolvedTerm]) -> FoldData:
        """Statistics of the terms' columns."""
        X = fitting_matrix(self.banks.by_name, self.task.keys, terms, self.limit)
        task = self.task
        return FoldData(X, task.Y, self.folds, task.weights, memory=self.limit)

    def last_fold_data(self, terms: Sequence[ResolvedTerm]) -> FoldData:
        """As `fold_data`, at once where it was asked for these terms the last time."""
        if self._last is None or self._last[0] != terms:
            self._last = None  # lets go of the features before it reads others
            self._last = terms, self.fold_data(terms)
        return self._last[1]

    def forget(self) -> None:
        """Let go of the features and sums that were kept."""
        self._data.clear()
        self._sums.clear()

    def job_bytes(self, terms: Sequence[ResolvedTerm]) -> int:
        """Memory that reading the terms' columns and fitting a training set on them takes."""
        n_samples = len(self.task.texts)
        n_columns = sum(self.banks.by_name[term.bank].width(term) for term in terms)
        side = min(n_samples, n_columns)
        return int(8 * (5 * side * side + 3 * CHUNK) + 4 * n_samples * n_columns)

    def primal_bytes(self, terms: Sequence[ResolvedTerm]) -> int:
        """Memory that all fits of the terms' columns take on X'X, that of every fold included."""
        n_samples = len(self.task.texts)
        n_columns = sum(self.banks.by_name[term.bank].width(term) for term in terms)
        squares = (self.folds.n_folds + 5) * n_columns**2
        values = n_samples * n_columns
        return int(8 * (squares + 3 * min(values, CHUNK)) + 4 * values)

    def training(self, block: BankBlock, left_out: Sequence[int]) -> TrainingSet:
        """A block's training set; its features stay in memory as long as these do not fill it."""
        data = self._data.get(block)
        if data is None:
            data = self.fold_data([block.term])
            if (len(self._data) + 1) * data.X.nbytes <= self.room // 4:
                self._data[block] = data
        return data.training(left_out)

    def products(self, block: BankBlock, left_out: Sequence[int]) -> Products:
        """Products of one block's rows, standardised by the rows that are not left out."""
        training = self.training(block, left_out)
        return Products(training.kernel, *training.held_kernel())

    def how_many_fit(self, left_out: Sequence[int]) -> int:
        """Blocks whose products for a training set fit into memory."""
        n = len(self.folds)
        n_train = n - len(self.folds.rows(left_out)) if left_out else n
        return int(self.room // 2 // (8 * n_train * n))

    def combination(
        self, blocks: Sequence[BankBlock], left_out: Sequence[int], total: Products
    ) -> GramTraining:
        """The training set of several blocks side by side, given the sum of their products."""
        return GramTraining([self.training(block, left_out) for block in blocks], total)

    def keep(self, blocks: Sequence[BankBlock], left_out: LeftOut, total: Products) -> None:
        """Keep a sum for another regressor, where there is room for its share of all sums."""
        n_folds = self.folds.n_folds
        n_sets = n_folds * (n_folds - 1) // 2 + n_folds + 1
        kept = [key for key in self._sums if key[1] == left_out]
        size = sum(part.nbytes for part in total)
        if (len(kept) + 1) * size <= self.room // 4 // n_sets:
            self._sums[frozenset(blocks), left_out] = total

    def has_kept(self, blocks: Sequence[BankBlock], left_out: LeftOut) -> bool:
        """Whether a sum was kept."""
        return (frozenset(blocks), left_out) in self._sums

    def kept(self, blocks: Sequence[BankBlock], left_out: LeftOut) -> Products | None:
        """A sum that was kept, the caller's own; None where it was not."""
        total = self._sums.get((frozenset(blocks), left_out))
        return None if total is None else Products(*(np.array(part) for part in total))


class GramTraining(TrainingSet):
    """A training set of several blocks that is known by its products alone.

    Mean and scale are those of the blocks' columns side by side.
    """

    def __init__(self, blocks: Sequence[TrainingSet], products: Products) -> None:
        super().__init__(blocks[0].data, blocks[0].left_out)
        self.mean = np.concatenate([block.mean for block in blocks])
        self.scale = np.concatenate([block.scale for block in blocks])
        self.n_active = sum(block.n_active for block in blocks)
        self._kernel = products.kernel
        self._products = products

    def held_kernel(self) -> tuple[Matrix, Matrix]:
        return self._products.held, self._products.held_squares
