"""The search of a sweep: for each outer fold, with that fold out of sight, and once on all rows.

It goes in stages. Ridge tries every selection that was named beforehand. A forward search puts
blocks together, by what ridge makes of them. Then each costlier regressor tries the selections
that ridge found best.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from regress.compute.parallel import in_processes
from regress.sweep.candidates import Candidate, ResolvedSelection, distinct
from regress.sweep.choice import RIDGE, Search, SplitSearch
from regress.sweep.fitting import OnDone, work_of
from regress.sweep.forward_stage import forward_searches, forward_work, found_forward, search_ahead
from regress.sweep.products import LeftOut
from regress.sweep.splits import Fit, Split

#: The stage in which blocks are put together one by one.
FORWARD = "forward search"

#: Told of a stage's name as it begins, and of its work where that is known.
OnStage = Callable[[str, float | None], None]

#: Finds blocks without some folds.
Forward = Callable[[Split, LeftOut], ResolvedSelection]


def search(
    splits: Sequence[Split],
    fixed: Sequence[ResolvedSelection],
    models: Sequence[str],
    n_targets: int,
    *,
    n_best: int,
    greedy: bool,
    n_jobs: int | None,
    on_stage: OnStage,
    on_done: OnDone,
) -> list[Search]:
    """Ridge on everything, then the costlier regressors on the best selections; for each target.

    Parameters
    ----------
    splits
        What is searched anew on each.
    fixed
        Selections that are named before any target is seen.
    models
        Names of the regressors, ridge among them.
    n_best
        Selections that each costlier regressor tries.
    greedy
        Whether to search forward.
    on_stage
        Hears the name of each stage as it begins, one of those in `estimated_work`, and what is
        known by then of its work.
    on_done
        Hears of the work done in it.
    """
    on_stage(RIDGE, None)
    for split in splits:
        wanted = {Candidate(RIDGE, selection): split.every_fit() for selection in fixed}
        again = n_best if len(models) > 1 else 0
        split.fit(wanted, n_jobs=n_jobs, on_done=on_done, n_best=again)
        if greedy and in_processes():
            search_ahead(split, n_targets, n_jobs)
    on_stage(FORWARD, None)
    searches = [
        _search_by_ridge(splits, fixed, target, greedy, n_jobs, on_done)
        for target in range(n_targets)
    ]
    for model in models:
        if model != RIDGE:
            _add_costly(splits, searches, model, n_best, n_jobs, on_stage, on_done)
    return searches


def estimated_work(
    splits: Sequence[Split],
    fixed: Sequence[ResolvedSelection],
    models: Sequence[str],
    n_targets: int,
    n_best: int,
    greedy: bool,
) -> dict[str, float]:
    """Seconds of one core, very roughly, that `search` will report as done in each stage."""
    split, workspace = splits[0], splits[0].workspaces[0]
    n_fits = len(splits) * len(split.every_fit())
    searched = forward_searches(split) if greedy else []
    work = {
        RIDGE: n_fits * sum(work_of(*workspace, Candidate(RIDGE, each)) for each in fixed),
        FORWARD: len(splits) * n_targets * sum(forward_work(split, out) for out in searched),
    }
    for model in models:
        if model != RIDGE:
            candidate = Candidate(model, fixed[-1])
            work[model] = n_fits * n_best * n_targets * work_of(*workspace, candidate)
    return work


def _search_by_ridge(
    splits: Sequence[Split],
    fixed: Sequence[ResolvedSelection],
    target: int,
    greedy: bool,
    n_jobs: int | None,
    on_done: OnDone,
) -> Search:
    """What ridge makes of the fixed selections and of what the forward search finds."""
    known = {selection.content: selection for selection in fixed}

    def forward(split: Split, left_out: LeftOut) -> ResolvedSelection:
        found = found_forward(split, left_out, target, n_jobs, on_done)
        return known.setdefault(found.content, found)

    searches = [_search_split(split, fixed, target, greedy, forward) for split in splits]
    found: list[ResolvedSelection] = []
    if greedy and splits[0].has_fold_banks:
        found = distinct(searches[0].found.values())
    elif greedy:
        found = [forward(splits[0], ())]
    for each in searches:
        each.split.fit(_fits_of_found(each, found), n_jobs=n_jobs, on_done=on_done)
    return Search(searches, found, _by_ridge([*fixed, *found]))


def _search_split(
    split: Split,
    fixed: Sequence[ResolvedSelection],
    target: int,
    greedy: bool,
    forward: Forward,
) -> SplitSearch:
    """The forward searches of a split, each without a fold or two."""
    found: dict[int, ResolvedSelection] = {}
    within: dict[int, dict[int, ResolvedSelection]] = {}
    for left_out in forward_searches(split) if greedy else ():
        if len(left_out) == 1:
            found[left_out[0]] = forward(split, left_out)
        elif len(left_out) == 2:
            selection = forward(split, left_out)
            # With a bank a fold, the order says whose bank was searched.
            orders = [left_out] if split.has_fold_banks else [left_out, left_out[::-1]]
            for outer, fold in orders:
                within.setdefault(outer, {})[fold] = selection
    candidates = {
        outer: _by_ridge([*fixed, *([found[outer]] if outer in found else [])])
        for outer in range(split.folds.n_folds)
    }
    return SplitSearch(split, target, fixed, found, within, candidates)


def _by_ridge(selections: Iterable[ResolvedSelection]) -> list[Candidate]:
    """Each selection once, with ridge."""
    return [*dict.fromkeys(Candidate(RIDGE, selection) for selection in selections)]


def _fits_of_found(
    search: SplitSearch, found_on_all: Sequence[ResolvedSelection]
) -> dict[Candidate, list[Fit]]:
    """What choosing among what was found, and its optimism, need."""
    split = search.split
    wanted: dict[Candidate, list[Fit]] = defaultdict(list)
    for outer, by_fold in search.found_within.items():
        for fold, selection in by_fold.items():
            wanted[Candidate(RIDGE, selection)].append(split.fit_without(outer, fold))
    for outer, selection in search.found.items():
        wanted[Candidate(RIDGE, selection)] += split.fits(outer)
    for selection in found_on_all:
        wanted[Candidate(RIDGE, selection)] += split.fits(None)
    return wanted


def _add_costly(
    splits: Sequence[Split],
    searches: Sequence[Search],
    model: str,
    n_best: int,
    n_jobs: int | None,
    on_stage: OnStage,
    on_done: OnDone,
) -> None:
    """Fit a regressor on the selections that ridge found best, without each fold and with all."""
    by_split: list[dict[Candidate, list[Fit]]] = [defaultdict(list) for _ in splits]
    for search in searches:
        best = [Candidate(model, each) for each in search.best_selections()[:n_best]]
        for own, wanted in zip(search.splits, by_split, strict=True):
            for outer, candidates in own.candidates.items():
                for selection in own.best_selections(outer)[:n_best]:
                    candidates.append(candidate := Candidate(model, selection))
                    wanted[candidate] += own.split.fits(outer)
            for candidate in best:
                # A row of the leaderboard needs every fit.
                fixed = candidate.selection in search.fixed
                wanted[candidate] += own.split.every_fit() if fixed else own.split.fits(None)
        search.candidates.extend(best)
    planned = [*zip(splits, by_split, strict=True)]
    on_stage(model, sum(_work(split, wanted) for split, wanted in planned))
    for split, wanted in planned:
        split.fit(wanted, n_jobs=n_jobs, on_done=on_done)


def _work(split: Split, wanted: Mapping[Candidate, Sequence[Fit]]) -> float:
    """What making these fits will report as done, about."""
    workspace = split.workspaces[0]
    return sum(len({*fits}) * work_of(*workspace, candidate) for candidate, fits in wanted.items())
