"""Forward searches of a sweep: run where the features are, and kept like any finished cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from regress.candidates import every_unit, of_units
from regress.cells import Candidate
from regress.divisions import Division
from regress.fitting import OnDone
from regress.grams import Grams, Unit
from regress.greedy import MAX_STEPS, forward_search, ranked_rows
from regress.parallel import each_result


def found_forward(
    division: Division, outer: int | None, target: int, n_jobs: int | None, on_done: OnDone
) -> Candidate:
    """What the forward search finds, kept like any finished cell."""
    grams, store = division.at(outer or 0)
    units, work = every_unit(division.banks), work_of_forward(division, outer)
    path = _path_of_forward(division, outer, target)
    if path.exists():
        on_done(work)
        found = np.load(path, allow_pickle=False).tolist()
    else:
        found = _numbers(
            grams, units, outer, target, n_jobs, on_done=lambda share: on_done(share * work)
        )
        store.write(path, np.array(found))
    return of_units(division.banks, [units[at] for at in found])


def _numbers(
    grams: Grams,
    units: Sequence[Unit],
    outer: int | None,
    target: int,
    n_jobs: int | None,
    on_done: OnDone = lambda share: None,
) -> list[int]:
    """Numbers, among all blocks, of those that the forward search finds."""
    steps = forward_search(grams, units, outer=outer, target=target, n_jobs=n_jobs, on_done=on_done)
    return [units.index(step.unit) for step in steps] or [len(units) - 1]


def search_ahead(division: Division, n_targets: int, n_jobs: int | None) -> None:
    """Run whole searches side by side in other processes, and keep what they find."""
    units, n_folds = every_unit(division.banks), division.folds.n_folds
    everywhere: list[int | None] = [*range(n_folds), *([None] if len(division.places) == 1 else [])]
    for place in division.places:
        grams, store = place
        here = [outer for outer in everywhere if division.at(outer or 0) is place]
        wanted = [(outer, target) for target in range(n_targets) for outer in here]
        todo = [one for one in wanted if not _path_of_forward(division, *one).exists()]
        rows = min(len(grams.folds), ranked_rows(grams, len(units)))
        found = each_result(
            _numbers, [(units, *one, 1) for one in todo], shared=(grams,), n_jobs=n_jobs,
            job_bytes=4 * rows * rows * (len(units) + 6),
        )  # fmt: skip
        for one, blocks in zip(todo, found, strict=True):
            store.write(_path_of_forward(division, *one), np.array(blocks))


def _path_of_forward(division: Division, outer: int | None, target: int) -> Path:
    grams, store = division.at(outer or 0)
    rows = min(len(grams.folds), ranked_rows(grams, len(every_unit(division.banks))))
    return store.path_of("forward search, 2", rows, outer, target)


def work_of_forward(division: Division, outer: int | None) -> float:
    share = min(len(division.folds), 6000) / 3000
    n_units = len(every_unit(division.banks))
    return (4 if outer is None else 2) * MAX_STEPS * share**3 * n_units / 21
