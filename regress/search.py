"""The search of a sweep: for each outer fold, with that fold out of sight, and once on all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regress.candidates import distinct, every_unit, of_units
from regress.cells import Candidate, Cell, LeftOut, Scoring, Store, every_part, pairs_with, singles
from regress.fitting import OnDone, fit_parts, work_of
from regress.grams import MAX_ROWS, Grams
from regress.greedy import forward_search, ranked_rows
from regress.model import Matrix
from regress.parallel import each_result, in_processes

#: The regressor that looks at everything, since it costs least.
SCOUT = "ridge"


@dataclass(frozen=True, eq=False)
class Search:
    """What was tried for one target.

    Attributes
    ----------
    scoring
        Scores of every cell.
    fixed
        Selections that were named before any target was seen.
    greedy
        By outer fold, what the forward search found without it; by None, on all rows.
    pools
        By outer fold, the cells to choose from without it; by None, on all rows.
    """

    scoring: Scoring
    fixed: Sequence[Candidate]
    greedy: dict[int | None, Candidate]
    pools: dict[int | None, list[Cell]]

    def choice(self, outer: int | None, model: str | None = None) -> Cell:
        """The cell with the lowest RMSE over the folds but `outer`."""
        pool = [cell for cell in self.pools[outer] if model in (None, cell.model)]
        return min(pool, key=lambda cell: self.scoring.rmse(cell, outer))

    def best_scouted(self, outer: int | None) -> list[Candidate]:
        """Selections by the RMSE that ridge has with them over the folds but `outer`."""
        scouts = [cell for cell in self.pools[outer] if cell.model == SCOUT]
        scouts.sort(key=lambda cell: self.scoring.rmse(cell, outer))
        return distinct([cell.candidate for cell in scouts])

    def nested_predictions(self, model: str | None = None) -> Matrix:
        """For all rows: each fold by what was chosen, among everything, and fitted without it."""
        folds = self.scoring.folds
        predicted = np.empty(len(folds))
        for outer in range(folds.n_folds):
            cell = self.choice(outer, model)
            predicted[folds.rows([outer])] = self.scoring.outer_predictions(cell, outer)
        return predicted

    def inner_predictions(self, model: str | None = None) -> Matrix:
        """Shape (n_folds, n_samples): what was chosen without a fold, on each of the others.

        Each row is predicted by a fit without its own fold and without that one, whose own rows
        are NaN.
        """
        n_folds = self.scoring.folds.n_folds
        chosen = [(self.choice(outer, model), outer) for outer in range(n_folds)]
        return np.stack([self.scoring.inner_predictions(*one) for one in chosen])


def search(
    grams: Grams,
    store: Store,
    fixed: Sequence[Candidate],
    *,
    n_best: int,
    greedy: bool,
    n_jobs: int | None,
    on_done: OnDone,
) -> list[Search]:
    """Ridge on everything, then the costlier regressors on the best selections; per target."""
    folds = grams.folds
    everywhere: list[int | None] = [None, *range(folds.n_folds)]
    scouts = [Cell(SCOUT, candidate) for candidate in fixed]
    fit_parts(grams, store, dict.fromkeys(scouts, every_part(folds)), n_jobs=n_jobs,
              on_done=on_done)  # fmt: skip
    if greedy and in_processes():
        _forward_ahead(grams, store, everywhere, n_jobs)
    searches = []
    for target in range(len(grams.design.target_names)):
        found: dict[int | None, Candidate] = {}
        wanted: dict[Cell, list[LeftOut]] = {}
        for outer in everywhere if greedy else []:
            found[outer] = _forward(grams, store, outer, target, n_jobs, on_done)
            wanted.setdefault(Cell(SCOUT, found[outer]), []).extend(_parts(grams, outer))
        fit_parts(grams, store, wanted, n_jobs=n_jobs, on_done=on_done)
        pools = {
            outer: [*scouts, *([Cell(SCOUT, found[outer])] if outer in found else [])]
            for outer in everywhere
        }
        searches.append(Search(Scoring(store, target), fixed, found, pools))
    for model in store.regressors:
        if model != SCOUT:
            _add_costly(grams, store, searches, model, n_best, n_jobs, on_done)
    return searches


def estimated_work(
    grams: Grams, store: Store, fixed: Sequence[Candidate], n_best: int, greedy: bool
) -> float:
    """Seconds of one core, very roughly, that `search` will report as done."""
    n_parts = len(every_part(grams.folds))
    n_targets = len(grams.design.target_names)
    work = sum(work_of(grams, store, Cell(SCOUT, one)) for one in fixed) * n_parts
    if greedy:
        work += sum(_work_of_forward(grams, o) for o in range(grams.folds.n_folds + 1)) * n_targets
    for model in store.regressors:
        if model != SCOUT:
            work += n_parts * n_best * n_targets * work_of(grams, store, Cell(model, fixed[-1]))
    return work


def _add_costly(
    grams: Grams,
    store: Store,
    searches: Sequence[Search],
    model: str,
    n_best: int,
    n_jobs: int | None,
    on_done: OnDone,
) -> None:
    """Fit a regressor on the selections that ridge found best, without each fold and with all."""
    wanted: dict[Cell, list[LeftOut]] = {}
    for one in searches:
        for outer, pool in one.pools.items():
            for candidate in one.best_scouted(outer)[:n_best]:
                cell = Cell(model, candidate)
                pool.append(cell)
                parts = wanted.setdefault(cell, [])
                # A line of the leaderboard needs every part.
                fixed = outer is None and candidate in one.fixed
                parts += every_part(grams.folds) if fixed else _parts(grams, outer)
    fit_parts(grams, store, wanted, n_jobs=n_jobs, on_done=on_done)


def _parts(grams: Grams, outer: int | None) -> list[LeftOut]:
    """What choosing without `outer`, and scoring the choice on it, needs."""
    if outer is None:
        return singles(grams.folds)
    return [*pairs_with(grams.folds, outer), (outer,)]


def _forward(
    grams: Grams,
    store: Store,
    outer: int | None,
    target: int,
    n_jobs: int | None,
    on_done: OnDone,
) -> Candidate:
    """What the forward search finds, kept like any finished cell."""
    units, work = every_unit(grams.banks), _work_of_forward(grams, outer)
    path = _path_of_forward(grams, store, outer, target)
    if path.exists():
        on_done(work)
        found = np.load(path, allow_pickle=False).tolist()
    else:
        found = _found_forward(
            grams, outer, target, n_jobs, on_done=lambda share: on_done(share * work)
        )
        store.write(path, np.array(found))
    return of_units(grams.banks, [units[at] for at in found])


def _found_forward(
    grams: Grams,
    outer: int | None,
    target: int,
    n_jobs: int | None,
    on_done: OnDone = lambda share: None,
) -> list[int]:
    """Numbers, among all blocks, of those that the forward search finds."""
    units = every_unit(grams.banks)
    steps = forward_search(grams, units, outer=outer, target=target, n_jobs=n_jobs, on_done=on_done)
    return [units.index(step.unit) for step in steps] or [len(units) - 1]


def _forward_ahead(
    grams: Grams, store: Store, everywhere: Sequence[int | None], n_jobs: int | None
) -> None:
    """Run whole searches side by side in other processes, and keep what they find."""
    targets = range(len(grams.design.target_names))
    wanted = [(outer, target) for target in targets for outer in everywhere]
    todo = [one for one in wanted if not _path_of_forward(grams, store, *one).exists()]
    n_units = len(every_unit(grams.banks))
    rows = min(len(grams.folds), ranked_rows(grams, n_units))
    found = each_result(
        _found_forward, [(*one, 1) for one in todo], shared=(grams,), n_jobs=n_jobs,
        job_bytes=4 * rows * rows * (n_units + 6),
    )  # fmt: skip
    for one, blocks in zip(todo, found, strict=True):
        store.write(_path_of_forward(grams, store, *one), np.array(blocks))


def _path_of_forward(grams: Grams, store: Store, outer: int | None, target: int) -> Path:
    return store.path_of("forward search, 1", grams.memory >= _ample(grams), outer, target)


def _ample(grams: Grams) -> int:
    """Memory from which on the forward search ranks on as many rows as it ever does."""
    return 8 * len(every_unit(grams.banks)) * min(len(grams.folds), MAX_ROWS) ** 2


def _work_of_forward(grams: Grams, outer: int | None) -> float:
    share = min(len(grams.folds), 6000) / 3000
    return (40 if outer is None else 20) * share**3 * len(every_unit(grams.banks)) / 21
