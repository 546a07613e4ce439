"""Fitting the cells of a sweep, each by the cheapest exact way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from regress.compute.arrays import Matrix
from regress.compute.parallel import each_result, in_processes, run_jobs
from regress.data.matrix import n_columns
from regress.models.base import FittedModel, Setting
from regress.models.estimator import TunedRegressor
from regress.models.training import FoldData, Size
from regress.sweep.candidates import Cell, Unit
from regress.sweep.parts import LeftOut, Store
from regress.sweep.products import MAX_ROWS, Grams, Products

#: Called with a share of the work, in seconds about, as it is done.
OnDone = Callable[[float], object]

#: Takes a part as soon as it is fitted.
Keep = Callable[[Cell, LeftOut, Matrix], None]

Regressors = Mapping[str, TunedRegressor]


def fit_parts(
    grams: Grams,
    store: Store,
    wanted: Mapping[Cell, Iterable[LeftOut]],
    *,
    n_jobs: int | None = None,
    on_done: OnDone = lambda work: None,
) -> None:
    """Fit the parts that are wanted and not there yet.

    Each regressor says what serves a cell best. Where it takes products of rows, those of the
    cell's blocks are added up, which all cells with the same folds left out share; where its
    training sets share X'X, all parts of a cell are one job; everything else gets the columns.
    """
    todo = {
        cell: [left_out for left_out in dict.fromkeys(parts) if not store.has(cell, left_out)]
        for cell, parts in wanted.items()
    }
    for cell, parts in wanted.items():
        on_done(work_of(grams, store, cell) * (len(set(parts)) - len(todo[cell])))
    by_products = {cell: parts for cell, parts in todo.items() if _adds(grams, store, cell)}
    small = {
        cell: parts
        for cell, parts in todo.items()
        if cell not in by_products and _regressor(store, cell).is_primal(_size(grams, cell))
    }

    def keep(cell: Cell, left_out: LeftOut, predicted: Matrix) -> None:
        store.put(cell, left_out, predicted)
        on_done(work_of(grams, store, cell))

    jobs = [(cell, parts) for cell, parts in small.items() if parts]
    fitted = each_result(_cell_parts, jobs, shared=(grams, store.regressors), n_jobs=n_jobs)
    for (cell, parts), predictions in zip(jobs, fitted, strict=True):
        for left_out, predicted in zip(parts, predictions, strict=True):
            keep(cell, left_out, predicted)
    every = dict.fromkeys(left_out for parts in by_products.values() for left_out in parts)
    batches = [
        ([cell for cell, parts in by_products.items() if left_out in parts], left_out)
        for left_out in sorted(every, key=lambda folds: (len(folds), folds))
    ]
    large = {
        cell: parts
        for cell, parts in todo.items()
        if parts and cell not in by_products and cell not in small
    }
    if in_processes():
        _fit_far(grams, store, batches, large, n_jobs, keep)
        return
    for cells, left_out in batches:
        _fit_by_products(grams, store.regressors, cells, left_out, n_jobs, keep)
    for cell, parts in large.items():
        data = grams.fold_data(cell.candidate.terms)
        data.prepare()

        def fit_part(left_out: LeftOut, cell: Cell = cell, data: FoldData = data) -> None:
            path = store.regressors[cell.model].path
            keep(cell, left_out, path(data.training(left_out)))

        needs = store.regressors[cell.model].job_bytes(data)
        run_jobs(fit_part, [(left_out,) for left_out in parts], n_jobs=n_jobs, job_bytes=needs)


def _fit_far(
    grams: Grams,
    store: Store,
    batches: Sequence[tuple[Sequence[Cell], LeftOut]],
    large: Mapping[Cell, Sequence[LeftOut]],
    n_jobs: int | None,
    keep: Keep,
) -> None:
    """The same in other processes, where products are taken once for each training set."""
    shared, n = (grams, store.regressors), len(grams.folds)
    by_sums = each_result(
        _parts_by_products, batches, shared=shared, n_jobs=n_jobs, job_bytes=4 * 8 * n * n
    )
    for (cells, left_out), predictions in zip(batches, by_sums, strict=True):
        for cell, predicted in zip(cells, predictions, strict=True):
            keep(cell, left_out, predicted)
    jobs = [(cell, left_out) for cell, parts in large.items() for left_out in parts]
    needs = [grams.job_bytes(cell.candidate.terms) for cell in large]
    parts = each_result(_part, jobs, shared=shared, n_jobs=n_jobs, job_bytes=max(needs, default=0))
    for (cell, left_out), predicted in zip(jobs, parts, strict=True):
        keep(cell, left_out, predicted)


def _cell_parts(
    grams: Grams, regressors: Regressors, cell: Cell, parts: Sequence[LeftOut]
) -> list[Matrix]:
    data = grams.fold_data(cell.candidate.terms)
    return [regressors[cell.model].path(data.training(left_out)) for left_out in parts]


def _parts_by_products(
    grams: Grams, regressors: Regressors, cells: Sequence[Cell], left_out: LeftOut
) -> list[Matrix]:
    fitted: dict[Cell, Matrix] = {}

    def keep(cell: Cell, _: LeftOut, predicted: Matrix) -> None:
        fitted[cell] = predicted

    _fit_by_products(grams, regressors, cells, left_out, 1, keep)
    return [fitted[cell] for cell in cells]


def _part(grams: Grams, regressors: Regressors, cell: Cell, left_out: LeftOut) -> Matrix:
    data = grams.last_fold_data(cell.candidate.terms)
    return regressors[cell.model].path(data.training(left_out))


def refit(
    grams: Grams, store: Store, cell: Cell, target: int, setting: Setting, left_out: LeftOut = ()
) -> FittedModel:
    """A cell's model of one target, fitted on all rows or without some folds."""
    data = grams.fold_data(cell.candidate.terms)
    chosen = [setting] * len(store.task.target_names)
    return store.regressors[cell.model].refit(data.training(left_out), chosen)[target]


def work_of(grams: Grams, store: Store, cell: Cell) -> float:
    """How long a part takes, in seconds of one core, very roughly: what progress bars count."""
    return _regressor(store, cell).work(_size(grams, cell))


def _fit_by_products(
    grams: Grams,
    regressors: Regressors,
    cells: Sequence[Cell],
    left_out: LeftOut,
    n_jobs: int | None,
    keep: Keep,
) -> None:
    uses: dict[Unit, int] = {}
    for cell in cells:
        for unit in cell.candidate.units or ():
            uses[unit] = uses.get(unit, 0) + 1
    # Where not all fit, those that most cells add are kept, and the others taken again.
    kept = sorted(uses, key=lambda unit: -uses[unit])[: grams.how_many_fit(left_out)]
    for unit in uses:
        grams.training(unit, left_out)  # reads the features, before threads ask for them
    taken = run_jobs(grams.products, [(unit, left_out) for unit in kept], n_jobs=n_jobs)
    known: dict[Unit, Products] = dict(zip(kept, taken, strict=True))

    def fit(cell: Cell) -> None:
        training = grams.combination(cell.candidate.units or (), left_out, known)
        keep(cell, left_out, regressors[cell.model].path_on_products(training))

    n = len(grams.folds)
    run_jobs(fit, [(cell,) for cell in cells], n_jobs=n_jobs, job_bytes=4 * 8 * n * n)


def _adds(grams: Grams, store: Store, cell: Cell) -> bool:
    """Whether a cell is fitted on sums of its blocks' products."""
    if cell.candidate.units is None or len(grams.folds) > MAX_ROWS:
        return False
    return _regressor(store, cell).takes_products(_size(grams, cell))


def _regressor(store: Store, cell: Cell) -> TunedRegressor:
    return store.regressors[cell.model]


def _size(grams: Grams, cell: Cell) -> Size:
    columns = n_columns(grams.banks.by_name, cell.candidate.terms)
    return Size(len(grams.folds), columns, grams.folds.n_train)
