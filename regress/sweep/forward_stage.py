"""The forward searches of a sweep: which there are, and what each finds, kept like any fit."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regress.compute.parallel import each_result
from regress.sweep.candidates import (
    BankBlock,
    ResolvedSelection,
    concatenated,
    every_block,
)
from regress.sweep.fitting import OnDone
from regress.sweep.forward_search import MAX_STEPS, forward_search
from regress.sweep.products import Grams, LeftOut
from regress.sweep.ranking import RANKED_ROWS, n_ranked_rows
from regress.sweep.splits import Split, Workspace
from regress.sweep.store import Store


def forward_searches(split: Split) -> list[LeftOut]:
    """What each search leaves out.

    Each fold, for what is chosen to predict it; a second one beside it, for the optimism of the
    search; and none, for all rows, unless each fold has a bank of its own: an encoder has seen
    every fold but one.
    """
    n_folds = split.folds.n_folds
    # The two folds that are left to a search have one each to train on and to rank on.
    pairs = list(permutations(range(n_folds), 2)) if n_folds >= 4 else []
    if not split.has_fold_banks:
        pairs = [(first, second) for first, second in pairs if first < second]
    all_rows: list[LeftOut] = [] if split.has_fold_banks else [()]
    return [*((fold,) for fold in range(n_folds)), *all_rows, *pairs]


def found_forward(
    split: Split, left_out: LeftOut, target: int, n_jobs: int | None, on_done: OnDone
) -> ResolvedSelection:
    """What the forward search without some folds finds; searched once, and kept.

    Where each fold has its own bank, the first fold left out says which is searched.
    """
    grams, store = _workspace(split, left_out)
    blocks, work = every_block(split.banks), forward_work(split, left_out)
    path = _path(split, left_out, target)
    numbers = _kept(store, path, len(blocks))
    if numbers is not None:
        on_done(work)
    else:
        numbers = _searched(
            grams, blocks, left_out, target, n_jobs, lambda fraction: on_done(fraction * work)
        )
        store.parts.write(path, np.array(numbers))
        store.parts.settle()
    return concatenated(split.banks, [blocks[number] for number in numbers])


def search_ahead(split: Split, n_targets: int, n_jobs: int | None) -> None:
    """Run whole searches side by side in other processes, and keep what they find."""
    blocks = every_block(split.banks)
    for workspace in split.workspaces:
        searches = [
            (left_out, target)
            for target in range(n_targets)
            for left_out in forward_searches(split)
            if _workspace(split, left_out) is workspace
            and _kept(workspace.store, _path(split, left_out, target), len(blocks)) is None
        ]
        rows = n_ranked_rows(workspace.grams, len(blocks))
        found = each_result(
            _searched, [(blocks, *search, 1) for search in searches], shared=(workspace.grams,),
            n_jobs=n_jobs, job_bytes=4 * rows * rows * (len(blocks) + 6),
        )  # fmt: skip
        for search, numbers in zip(searches, found, strict=True):
            workspace.store.parts.write(_path(split, *search), np.array(numbers))
        workspace.store.parts.settle()


def forward_work(split: Split, left_out: LeftOut) -> float:
    """How long a search takes, in seconds of one core, very roughly."""
    size = min(len(split.folds), RANKED_ROWS) / 3000
    n_blocks = len(every_block(split.banks))
    return (4, 2, 1)[len(left_out)] * MAX_STEPS * size**3 * n_blocks / 21


def _searched(
    grams: Grams,
    blocks: list[BankBlock],
    left_out: LeftOut,
    target: int,
    n_jobs: int | None,
    on_done: OnDone = lambda fraction: None,
) -> list[int]:
    """Numbers, among all blocks, of those that the forward search finds."""
    steps = forward_search(
        grams, blocks, left_out=left_out, target=target, n_jobs=n_jobs, on_done=on_done
    )
    return [blocks.index(step.block) for step in steps] or [len(blocks) - 1]


def _kept(store: Store, path: Path, n_blocks: int) -> list[int] | None:
    """What a search found before; None where it was not made, or not kept as it was."""

    def is_right(found: NDArray[Any]) -> bool:
        numbers = found.ndim == 1 and found.dtype == np.int64
        return numbers and bool(((found >= 0) & (found < n_blocks)).all())

    found = store.parts.read(path, is_right)
    return None if found is None else list(found.tolist())


def _workspace(split: Split, left_out: LeftOut) -> Workspace:
    return split.workspace(left_out[0] if left_out else 0)


def _path(split: Split, left_out: LeftOut, target: int) -> Path:
    grams, store = _workspace(split, left_out)
    rows = n_ranked_rows(grams, len(every_block(split.banks)))
    return store.path_of("forward search, 3", rows, sorted(left_out), target)
