"""What a forward search ranks its next blocks by: ridge's error over the inner folds.

Products of the rows are float32, and rows are drawn where they are many: it decides which block
is added and scores nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from regress.compute.lapack import solve_positive
from regress.sweep.candidates import BankBlock
from regress.sweep.products import Grams

Single = NDArray[np.float32]

#: Rows that blocks are ranked on at the most, drawn at random from more.
RANKED_ROWS = 6000


def n_ranked_rows(grams: Grams, n_blocks: int) -> int:
    """Rows that blocks are ranked on: all, but for `RANKED_ROWS`, and fewer in little memory."""
    fit = max(200, int((grams.steady_memory / 8 / n_blocks) ** 0.5))
    return min(len(grams.folds), RANKED_ROWS, fit)


class Ranking:
    """Products of every block over the rows that are not in the folds left out.

    Parameters
    ----------
    grams, blocks
        Where the blocks are, and which of them are ranked.
    left_out
        Folds whose rows are not seen.
    target
        Index of the target.

    Attributes
    ----------
    rows
        Shape (n_ranked,), ascending by fold: numbers of the rows.
    n_active
        Columns of each block that are not constant.
    """

    def __init__(
        self, grams: Grams, blocks: Sequence[BankBlock], left_out: Sequence[int], target: int
    ) -> None:
        kept = [fold for fold in range(grams.folds.n_folds) if fold not in left_out]
        rows = np.concatenate([grams.folds.rows([fold]) for fold in kept])
        most = n_ranked_rows(grams, len(blocks))
        if len(rows) > most:
            drawn = np.random.default_rng(0).choice(len(rows), most, replace=False)
            rows = rows[np.sort(drawn)]
        self.grams, self.left_out, self.rows = grams, left_out, rows
        y, weights = grams.task.Y[rows, target], grams.task.weights
        self.weights = np.ones(len(rows)) if weights is None else weights[rows]
        # Rows of the system are multiplied by the roots of their weights.
        self.roots = None if weights is None else np.sqrt(self.weights).astype(np.float32)
        centred = y - np.average(y, weights=self.weights)
        deviation = np.average(centred**2, weights=self.weights) ** 0.5
        self.y = (centred / (deviation or 1.0)).astype(np.float32)
        numbers = grams.folds.numbers[rows]
        stops = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(rows)]
        self.folds = [slice(start, stop) for start, stop in pairwise(stops)]
        self.n_active = {block: grams.training(block, left_out).n_active for block in blocks}

    def products(self, block: BankBlock) -> Single:
        """Products of a block's standardised rows, shape (n_ranked, n_ranked)."""
        training = self.grams.training(block, self.left_out)
        Z = training.standardised(self.rows).astype(np.float32)
        return Z @ Z.T

    def error(self, K: Single, penalty: float) -> float:
        """Mean over the inner folds of ridge's mean squared error, in variances of the target.

        Parameters
        ----------
        K
            Shape (n_ranked, n_ranked): products of the rows, added over some blocks.
        penalty
            Ridge's alpha. Where it is too small for the rounding of `K`, the error is infinite.
        """
        errors = []
        for fold in self.folds:
            train = np.r_[0 : fold.start, fold.stop : len(K)]
            A = K[np.ix_(train, train)]
            both = np.stack([self.y[train], np.ones(len(train), np.float32)], axis=1)
            if self.roots is not None:
                A *= self.roots[train]
                A *= self.roots[train, None]
                both *= self.roots[train, None]
            A.reshape(-1)[:: len(train) + 1] += np.float32(penalty)
            try:
                # The free intercept: the residuals' weights must sum to zero.
                solved = solve_positive(A, both)
            except np.linalg.LinAlgError:
                return float("inf")
            if self.roots is not None:
                solved *= self.roots[train, None]
            of_y, of_ones = solved.astype(np.float64).T
            intercept = of_y.sum() / of_ones.sum()
            dual = of_y - intercept * of_ones
            predicted = K[fold][:, train] @ dual + intercept
            squared = (self.y[fold] - predicted) ** 2
            errors.append(float(np.average(squared, weights=self.weights[fold])))
        return float(np.mean(errors))
