"""Forward search: add the block that helps ridge most, then the next, while they help.

A block that helped little in one step mostly helps less in the next, when others stand beside it.
So blocks are tried in the order of their last gains, and those whose last gain is below the best
one of this step are not tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from regress.compute.parallel import run_jobs
from regress.sweep.candidates import BankBlock
from regress.sweep.products import Grams
from regress.sweep.ranking import Ranking

#: Penalties per column to choose from.
PENALTIES = tuple(float(penalty) for penalty in np.logspace(-2.5, 2.5, 21))

#: Those that the first blocks are tried at.
FIRST_PENALTIES = PENALTIES[4:17:4]

#: The search ends when the best block lowers the mean squared error by less than this fraction.
LEAST_GAIN = 0.002

MAX_STEPS = 10

#: Blocks that are tried before looking whether the others could still be better.
BATCH = 4


@dataclass(frozen=True)
class Step:
    """A block that was added, and the mean squared error over the inner folds with it."""

    block: BankBlock
    error: float


def forward_search(
    grams: Grams,
    blocks: Sequence[BankBlock],
    *,
    left_out: Sequence[int] = (),
    target: int = 0,
    max_steps: int = MAX_STEPS,
    n_jobs: int | None = None,
    on_done: Callable[[float], object] = lambda fraction: None,
) -> list[Step]:
    """Blocks in the order in which they lower the error of ridge over the inner folds.

    Parameters
    ----------
    grams, blocks
        Where the blocks are, and which of them to choose from.
    left_out
        Folds that the search must not see; two others at least must be left to it.
    target
        Index of the target.
    on_done
        Called with the fraction of the longest possible search that a step was.
    """
    ranking = Ranking(grams, blocks, left_out, target)
    varying = [block for block in blocks if ranking.n_active[block]]
    taken = run_jobs(ranking.products, [(block,) for block in varying], n_jobs=n_jobs)
    products = dict(zip(varying, taken, strict=True))
    steps: list[Step] = []
    total = np.zeros((len(ranking.rows),) * 2, dtype=np.float32)
    n_active, penalty = 0, 0.0

    def tried(block: BankBlock, penalties: Sequence[float]) -> tuple[float, float]:
        K = total + products[block]
        n_columns = n_active + ranking.n_active[block]
        return min((ranking.error(K, each * n_columns), each) for each in penalties)

    gains = dict.fromkeys(varying, float("inf"))
    max_steps = min(max_steps, len(varying))
    for number in range(max_steps):
        before = steps[-1].error if steps else 1.0
        penalties = [penalty] if steps else FIRST_PENALTIES
        results: dict[BankBlock, tuple[float, float]] = {}
        waiting = sorted(gains, key=lambda block: -gains[block])
        while waiting and (
            not results or gains[waiting[0]] > max(gains[block] for block in results)
        ):
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            found = run_jobs(tried, [(block, penalties) for block in batch], n_jobs=n_jobs)
            results |= dict(zip(batch, found, strict=True))
            gains |= {block: before - error for block, (error, _) in results.items()}
        best = min(results, key=lambda block: results[block])

        def error_with(penalty: float, block: BankBlock = best) -> float:
            return tried(block, [penalty])[0]

        error, penalty = _downhill(error_with, *results[best])
        if steps and error > (1 - LEAST_GAIN) * before:
            on_done((max_steps - number) / max_steps)
            break
        del gains[best]
        total += products[best]
        n_active += ranking.n_active[best]
        steps.append(Step(best, error))
        on_done(1 / max_steps)
    return steps


def _downhill(
    error_with: Callable[[float], float], error: float, penalty: float
) -> tuple[float, float]:
    """Walk downhill over `PENALTIES` from a penalty; the error and penalty where that ends."""
    start = PENALTIES.index(penalty)
    for direction in (1, -1):
        index = start
        while 0 <= index + direction < len(PENALTIES):
            lower = error_with(PENALTIES[index + direction])
            if lower >= error:
                break
            index, error = index + direction, lower
        if index != start:
            return error, PENALTIES[index]
    return error, penalty
