"""Sums of blocks' products: what selections share is added once.

The order of addition is always the same, so that a sum has the same digits whatever else is
added beside it: pooling by pooling, and within each from the last layer to the first. So the sum
of ``mean[-4:]`` is a beginning of those of ``mean[-8:]`` and ``mean[:]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from regress.sweep.candidates import BankBlock
from regress.sweep.products import Grams, Products

#: Blocks of one pooling of one bank, the last layer first.
Run = tuple[BankBlock, ...]


class Sums:
    """Sums of products over one training set.

    Parameters
    ----------
    grams, left_out
        Whose products they are, and the folds that the training set leaves out.
    known
        Products of blocks that were taken before; the others are taken when they are needed.
    wanted
        The blocks of each selection that a sum will be asked for.
    most
        How many partial sums may stay in memory.
    """

    def __init__(
        self,
        grams: Grams,
        left_out: Sequence[int],
        known: Mapping[BankBlock, Products],
        wanted: Iterable[Sequence[BankBlock]],
        most: int,
    ) -> None:
        self._grams, self._left_out, self._known = grams, left_out, known
        self._partial: dict[Run, Products] = {}
        runs = [run for blocks in wanted for run in _runs(blocks)]
        for run in _shared(runs)[: max(0, most)]:
            self._partial[run] = self._added(run)

    def total(self, blocks: Sequence[BankBlock]) -> Products:
        """The sum of some blocks' products, the caller's own."""
        first, *others = _runs(blocks)
        total = self._added(first)
        for run in others:
            _add(total, self._partial.get(run) or self._added(run))
        return total

    def _added(self, run: Run) -> Products:
        """The sum over a run of layers, from the longest beginning of it that is known."""
        for n_known in range(len(run), 0, -1):
            if (beginning := self._partial.get(run[:n_known])) is not None:
                break
        else:
            n_known, beginning = 1, self._of(run[0])
        total = Products(*(np.array(part) for part in beginning))
        for block in run[n_known:]:
            _add(total, self._of(block))
        return total

    def _of(self, block: BankBlock) -> Products:
        known = self._known.get(block)
        return self._grams.products(block, self._left_out) if known is None else known


def _add(total: Products, more: Products) -> None:
    for part, added in zip(total, more, strict=True):
        part += added


def _runs(blocks: Sequence[BankBlock]) -> list[Run]:
    """Blocks by bank and pooling, in the order in which these come first; the last layer first."""
    together: dict[tuple[str, str], list[BankBlock]] = {}
    for bank, block in blocks:
        together.setdefault((bank, block.pooling), []).append(BankBlock(bank, block))
    return [
        tuple(sorted(run, key=lambda each: -1 if each.block.layer is None else -each.block.layer))
        for run in together.values()
    ]


def _shared(runs: Sequence[Run]) -> list[Run]:
    """Runs of several layers that are the whole, or the beginning, of another; short ones first."""
    times = Counter(runs)
    beginnings = [
        run
        for run in times
        if len(run) > 1
        and (times[run] > 1 or any(other != run and other[: len(run)] == run for other in times))
    ]
    return sorted(beginnings, key=len)
