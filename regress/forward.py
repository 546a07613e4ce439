"""Forward searches of a sweep: run where the features are, and kept like any finished cell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np

from regress.candidates import every_unit, of_units
from regress.cells import Candidate, LeftOut
from regress.divisions import Division
from regress.fitting import OnDone
from regress.grams import Grams, Unit
from regress.greedy import MAX_STEPS, forward_search, ranked_rows
from regress.parallel import each_result


def found_forward(
    division: Division, left_out: LeftOut, target: int, n_jobs: int | None, on_done: OnDone
) -> Candidate:
    """What the forward search finds without some folds, kept like any finished cell.

    Where each fold has its own bank, the first fold left out says which is searched.
    """
    grams, store = division.at(left_out[0] if left_out else 0)
    units, work = every_unit(division.banks), work_of_forward(division, left_out)
    path = _path_of_forward(division, left_out, target)
    if store.is_whole(path):
        on_done(work)
        found = np.load(path, allow_pickle=False).tolist()
    else:
        found = _numbers(
            grams, units, left_out, target, n_jobs, on_done=lambda share: on_done(share * work)
        )
        store.write(path, np.array(found))
    return of_units(division.banks, [units[at] for at in found])


def _numbers(
    grams: Grams,
    units: Sequence[Unit],
    left_out: LeftOut,
    target: int,
    n_jobs: int | None,
    on_done: OnDone = lambda share: None,
) -> list[int]:
    """Numbers, among all blocks, of those that the forward search finds."""
    steps = forward_search(
        grams, units, left_out=left_out, target=target, n_jobs=n_jobs, on_done=on_done
    )
    return [units.index(step.unit) for step in steps] or [len(units) - 1]


def searches_of(division: Division) -> list[LeftOut]:
    """What is left out of each search of a sweep.

    Each fold, for what it chooses from; a second one beside it, for what the search is worth on
    rows that it has not seen; and none, for all rows, unless no bank's encoder has seen none.
    """
    n_folds, several = division.folds.n_folds, len(division.places) > 1
    # The two folds that are left to a search have one each to train on and to rank on.
    pairs = list(permutations(range(n_folds), 2)) if n_folds >= 4 else []
    if not several:
        pairs = [(one, other) for one, other in pairs if one < other]
    return [*((fold,) for fold in range(n_folds)), *([] if several else [()]), *pairs]


def search_ahead(division: Division, n_targets: int, n_jobs: int | None) -> None:
    """Run whole searches side by side in other processes, and keep what they find."""
    units, everywhere = every_unit(division.banks), searches_of(division)
    for place in division.places:
        grams, store = place
        here = [out for out in everywhere if division.at(out[0] if out else 0) is place]
        wanted = [(left_out, target) for target in range(n_targets) for left_out in here]
        todo = [one for one in wanted if not store.is_whole(_path_of_forward(division, *one))]
        rows = min(len(grams.folds), ranked_rows(grams, len(units)))
        found = each_result(
            _numbers, [(units, *one, 1) for one in todo], shared=(grams,), n_jobs=n_jobs,
            job_bytes=4 * rows * rows * (len(units) + 6),
        )  # fmt: skip
        for one, blocks in zip(todo, found, strict=True):
            store.write(_path_of_forward(division, *one), np.array(blocks))


def _path_of_forward(division: Division, left_out: LeftOut, target: int) -> Path:
    grams, store = division.at(left_out[0] if left_out else 0)
    rows = min(len(grams.folds), ranked_rows(grams, len(every_unit(division.banks))))
    return store.path_of("forward search, 3", rows, sorted(left_out), target)


def work_of_forward(division: Division, left_out: LeftOut) -> float:
    share = min(len(division.folds), 6000) / 3000
    n_units = len(every_unit(division.banks))
    return (4, 2, 1)[len(left_out)] * MAX_STEPS * share**3 * n_units / 21
