"""The search of a sweep: for each outer fold, with that fold out of sight, and once on all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from regress.compute.parallel import in_processes
from regress.models.base import Matrix, Setting
from regress.sweep.candidates import Candidate, Cell, distinct
from regress.sweep.fitting import OnDone, work_of
from regress.sweep.forward_search import found_forward, search_ahead, searches_of, work_of_forward
from regress.sweep.parts import LeftOut, Scoring
from regress.sweep.places import Division, Part

#: The regressor that looks at everything, since it costs least.
SCOUT = "ridge"


#: The stage in which blocks are put together one by one, by what ridge makes of them.
FORWARD = "forward search"


#: Told of a stage's name as it begins, and of its work where that is known.
OnStage = Callable[[str, float | None], None]


@dataclass(frozen=True, eq=False)
class Search:
    """What was tried for one target.

    Attributes
    ----------
    divisions, target
        What was searched, on each division into folds.
    scorings
        Scores of every cell, by division.
    fixed
        Selections that were named before any target was seen.
    greedy
        By division and outer fold, what the forward search found without that fold.
    within
        By division and outer fold, what it found without that fold and each other one: what the
        search is worth on rows that it has not seen. Empty where too few folds are left for it.
    found
        What it found on all rows; where each fold has its own bank, what it found for each.
    pools
        By division and outer fold, the cells to choose from without that fold.
    pool
        The cells to choose from on all rows.
    """

    divisions: Sequence[Division]
    target: int
    fixed: Sequence[Candidate]
    greedy: Sequence[dict[int, Candidate]]
    within: Sequence[dict[int, dict[int, Candidate]]]
    found: Sequence[Candidate]
    pools: Sequence[dict[int, list[Cell]]]
    pool: list[Cell]

    @cached_property
    def scorings(self) -> list[Scoring]:
        return [division.scoring(self.target) for division in self.divisions]

    def choice(self, model: str | None = None) -> Cell:
        """The cell with the lowest error over all rows, and over all divisions."""
        pool = [cell for cell in self.pool if model in (None, cell.model)]
        return min(pool, key=self._error)

    def setting(self, cell: Cell) -> Setting:
        """The setting with that RMSE."""
        return self.settings(cell)[int(self._errors(cell).argmin())]

    def settings(self, cell: Cell) -> list[Setting]:
        """What a cell's regressor chooses from."""
        return self.scorings[0].stores[0].settings(cell)

    def naive_rmse(self, cell: Cell) -> float:
        """The lowest cross-validated RMSE: the same folds choose and score."""
        return float(np.mean([of.cv_rmse(cell) for of in self.scorings], axis=0).min())

    def best_scouted(self) -> list[Candidate]:
        """Selections by the error that ridge has with them on all rows."""
        scouts = [cell for cell in self.pool if cell.model == SCOUT]
        scouts.sort(key=self._error)
        return distinct([cell.candidate for cell in scouts])

    def _errors(self, cell: Cell) -> Matrix:
        return np.asarray(np.mean([of.errors(cell, None) for of in self.scorings], axis=0))

    def _error(self, cell: Cell) -> float:
        """The lowest mean squared error over all rows, for what searched them made up for."""
        divisions = range(len(self.divisions))
        made_up = [self._made_up(at, None, cell.candidate) for at in divisions]
        return float(self._errors(cell).min() + np.mean(made_up))

    def _error_without(self, division: int, outer: int, cell: Cell) -> float:
        """The same over the folds but `outer`."""
        lowest = self.scorings[division].errors(cell, outer).min()
        return float(lowest + self._made_up(division, outer, cell.candidate))

    def _made_up(self, division: int, outer: int | None, candidate: Candidate) -> float:
        """By how much the error of what was searched is too low: its own rows have chosen it.

        Ridge's error, fold by fold, with what a search finds that has not seen the fold, less
        ridge's error with what the search of all these folds has found. 0 for a selection that
        was named beforehand.
        """
        of_each = self.greedy[division] if outer is None else self.within[division].get(outer)
        if not of_each or candidate in self.fixed:
            return 0.0
        scoring = self.scorings[division]
        cells = {fold: Cell(SCOUT, found) for fold, found in of_each.items()}
        unseen = scoring.errors_of_each(cells, outer).min()
        return max(0.0, float(unseen - scoring.errors(Cell(SCOUT, candidate), outer).min()))

    def choice_without(self, division: int, outer: int, model: str | None = None) -> Cell:
        """The cell with the lowest error over the folds but `outer`."""
        pool = [cell for cell in self.pools[division][outer] if model in (None, cell.model)]
        return min(pool, key=lambda cell: self._error_without(division, outer, cell))

    def best_scouted_without(self, division: int, outer: int) -> list[Candidate]:
        """Selections by the error that ridge has with them over the folds but `outer`."""
        scouts = [cell for cell in self.pools[division][outer] if cell.model == SCOUT]
        scouts.sort(key=lambda cell: self._error_without(division, outer, cell))
        return distinct([cell.candidate for cell in scouts])

    def nested_predictions(self, division: int, model: str | None = None) -> Matrix:
        """For all rows: each fold by what was chosen, among everything, and fitted without it."""
        folds = self.divisions[division].folds
        return self.predictions_of(
            division, [self.choice_without(division, o, model) for o in range(folds.n_folds)]
        )

    def predictions_of(self, division: int, cells: Sequence[Cell]) -> Matrix:
        """For all rows: each fold by its cell, tuned and fitted without it."""
        folds = self.divisions[division].folds
        predicted = np.empty(len(folds))
        for outer, cell in enumerate(cells):
            predicted[folds.rows([outer])] = self.scorings[division].outer_predictions(cell, outer)
        return predicted

    def inner_predictions(self, division: int, model: str | None = None) -> Matrix:
        """Shape (n_folds, n_samples): what was chosen without a fold, on each of the others.

        Each row is predicted by a fit without its own fold and without that one, whose own rows
        are NaN.
        """
        scoring, n_folds = self.scorings[division], self.divisions[division].folds.n_folds
        chosen = [(self.choice_without(division, outer, model), outer) for outer in range(n_folds)]
        return np.stack([scoring.inner_predictions(*one) for one in chosen])


def search(
    divisions: Sequence[Division],
    fixed: Sequence[Candidate],
    models: Sequence[str],
    n_targets: int,
    *,
    n_best: int,
    greedy: bool,
    n_jobs: int | None,
    on_stage: OnStage,
    on_done: OnDone,
) -> list[Search]:
    """Ridge on everything, then the costlier regressors on the best selections; per target.

    `on_stage` hears the name of each stage as it begins, one of those in `estimated_work`, and
    what is known by then of its work; `on_done` hears of the work in it.
    """
    on_stage(SCOUT, None)
    scouts = [Cell(SCOUT, candidate) for candidate in fixed]
    for division in divisions:
        wanted = dict.fromkeys(scouts, division.every_part())
        division.fit(wanted, n_jobs=n_jobs, on_done=on_done)
        if greedy and in_processes():
            search_ahead(division, n_targets, n_jobs)
    on_stage(FORWARD, None)
    searches = [
        _scouted(divisions, scouts, target, greedy, n_jobs, on_done) for target in range(n_targets)
    ]
    for model in models:
        if model != SCOUT:
            _add_costly(divisions, searches, model, n_best, n_jobs, on_stage, on_done)
    return searches


def estimated_work(
    divisions: Sequence[Division],
    fixed: Sequence[Candidate],
    models: Sequence[str],
    n_targets: int,
    n_best: int,
    greedy: bool,
) -> dict[str, float]:
    """Seconds of one core, very roughly, that `search` will report as done in each stage."""
    n, place, n_parts = len(divisions), divisions[0].places[0], len(divisions[0].every_part())
    work = {SCOUT: n * n_parts * sum(work_of(*place, Cell(SCOUT, one)) for one in fixed)}
    searched = searches_of(divisions[0]) if greedy else []
    work[FORWARD] = n * n_targets * sum(work_of_forward(divisions[0], out) for out in searched)
    for model in models:
        if model != SCOUT:
            each = work_of(*place, Cell(model, fixed[-1]))
            work[model] = n * n_parts * n_best * n_targets * each
    return work


def _scouted(
    divisions: Sequence[Division],
    scouts: Sequence[Cell],
    target: int,
    greedy: bool,
    n_jobs: int | None,
    on_done: OnDone,
) -> Search:
    """Ridge on everything, and on what the forward search finds."""
    known = {cell.candidate.content: cell.candidate for cell in scouts}

    def found(division: Division, left_out: LeftOut) -> Candidate:
        candidate = found_forward(division, left_out, target, n_jobs, on_done)
        return known.setdefault(candidate.content, candidate)

    without: list[dict[int, Candidate]] = []
    within: list[dict[int, dict[int, Candidate]]] = []
    for division in divisions:
        searched = searches_of(division) if greedy else []
        without.append({out[0]: found(division, out) for out in searched if len(out) == 1})
        within.append({})
        for pair in (out for out in searched if len(out) == 2):
            candidate = found(division, pair)
            for outer, fold in [pair] if len(division.places) > 1 else [pair, pair[::-1]]:
                within[-1].setdefault(outer, {})[fold] = candidate
    on_all: list[Candidate] = []
    if greedy and len(divisions[0].places) == 1:
        on_all = [found(divisions[0], ())]
    elif greedy:
        # No bank's encoder has seen all rows, or none of them.
        on_all = distinct([*without[0].values()])
    for division, of_outer, of_pair in zip(divisions, without, within, strict=True):
        wanted: dict[Cell, list[Part]] = {}
        for outer, of_fold in of_pair.items():
            for fold, candidate in of_fold.items():
                part = division.without(outer, fold)
                wanted.setdefault(Cell(SCOUT, candidate), []).append(part)
        for outer, candidate in of_outer.items():
            wanted.setdefault(Cell(SCOUT, candidate), []).extend(division.needed(outer))
        for candidate in on_all:
            wanted.setdefault(Cell(SCOUT, candidate), []).extend(division.needed(None))
        division.fit(wanted, n_jobs=n_jobs, on_done=on_done)
    pools = [
        {
            outer: _with(scouts, [of[outer]] if outer in of else [])
            for outer in range(division.folds.n_folds)
        }
        for division, of in zip(divisions, without, strict=True)
    ]
    pool = _with(scouts, on_all)
    fixed = [cell.candidate for cell in scouts]
    return Search(divisions, target, fixed, without, within, on_all, pools, pool)


def _with(scouts: Sequence[Cell], candidates: Sequence[Candidate]) -> list[Cell]:
    """Each once, the scouts first."""
    return [*dict.fromkeys([*scouts, *(Cell(SCOUT, candidate) for candidate in candidates)])]


def _add_costly(
    divisions: Sequence[Division],
    searches: Sequence[Search],
    model: str,
    n_best: int,
    n_jobs: int | None,
    on_stage: OnStage,
    on_done: OnDone,
) -> None:
    """Fit a regressor on the selections that ridge found best, without each fold and with all."""
    of_each: list[dict[Cell, list[Part]]] = []
    for number, division in enumerate(divisions):
        wanted: dict[Cell, list[Part]] = {}
        of_each.append(wanted)
        for one in searches:
            for outer, pool in one.pools[number].items():
                for candidate in one.best_scouted_without(number, outer)[:n_best]:
                    pool.append(cell := Cell(model, candidate))
                    wanted.setdefault(cell, []).extend(division.needed(outer))
            for candidate in one.best_scouted()[:n_best]:
                # A line of the leaderboard needs every part.
                fixed = candidate in one.fixed
                parts = division.every_part() if fixed else division.needed(None)
                wanted.setdefault(Cell(model, candidate), []).extend(parts)
    planned = zip(divisions, of_each, strict=True)
    on_stage(model, sum(_work(division, wanted) for division, wanted in planned))
    for division, wanted in zip(divisions, of_each, strict=True):
        division.fit(wanted, n_jobs=n_jobs, on_done=on_done)
    for one in searches:
        one.pool.extend(Cell(model, candidate) for candidate in one.best_scouted()[:n_best])


def _work(division: Division, wanted: Mapping[Cell, Sequence[Part]]) -> float:
    """What fitting these parts will report as done, about."""
    place = division.places[0]
    return sum(len({*parts}) * work_of(*place, cell) for cell, parts in wanted.items())
