"""Fitting the cells of a sweep, each by the cheapest exact way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from regress.cells import Cell, LeftOut, Store
from regress.grams import MAX_ROWS, Grams, Products, Unit
from regress.model import FittedModel, Setting
from regress.parallel import run_jobs
from regress.ridge import TunedRidge
from regress.statistics import FoldData
from regress.svr import TunedSVR

#: Called with a share of the work, in seconds about, as it is done.
OnDone = Callable[[float], object]


def fit_parts(
    grams: Grams,
    store: Store,
    wanted: Mapping[Cell, Iterable[LeftOut]],
    *,
    n_jobs: int | None = None,
    on_done: OnDone = lambda work: None,
) -> None:
    """Fit the parts that are wanted and not there yet.

    Ridge with fewer columns than rows takes X'X of its columns; ridge with more, and SVR, add the
    products of their blocks, which all that have the same folds left out share; everything else
    gets the columns themselves.
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
        if cell not in by_products and _is_primal_ridge(grams, store, cell)
    }

    def fit_cell(cell: Cell, parts: Sequence[LeftOut]) -> None:
        data = grams.fold_data(cell.candidate.terms)
        for left_out in parts:
            _fit(store, cell, data, left_out)
            on_done(work_of(grams, store, cell))

    run_jobs(fit_cell, [(cell, parts) for cell, parts in small.items() if parts], n_jobs=n_jobs)
    every = dict.fromkeys(left_out for parts in by_products.values() for left_out in parts)
    for left_out in sorted(every, key=lambda folds: (len(folds), folds)):
        cells = [cell for cell, parts in by_products.items() if left_out in parts]
        _fit_by_products(grams, store, cells, left_out, n_jobs, on_done)
    for cell, parts in todo.items():
        if parts and cell not in by_products and cell not in small:
            data = grams.fold_data(cell.candidate.terms)
            data.prepare()

            def fit_part(left_out: LeftOut, cell: Cell = cell, data: FoldData = data) -> None:
                _fit(store, cell, data, left_out)
                on_done(work_of(grams, store, cell))

            jobs = [(left_out,) for left_out in parts]
            run_jobs(fit_part, jobs, n_jobs=n_jobs, job_bytes=data.job_bytes)


def refit(grams: Grams, store: Store, cell: Cell, target: int, setting: Setting) -> FittedModel:
    """A cell's model of one target, fitted on all rows."""
    data = grams.fold_data(cell.candidate.terms)
    chosen = [setting] * len(store.design.target_names)
    return store.regressors[cell.model].refit(data.training(), chosen)[target]


def work_of(grams: Grams, store: Store, cell: Cell) -> float:
    """How long a part takes, in seconds of one core, very roughly: what progress bars count."""
    n, n_columns = len(grams.folds), _n_columns(grams, cell)
    scale = (n / 3000) ** 2
    regressor = store.regressors[cell.model]
    if isinstance(regressor, TunedRidge):
        if _is_primal_ridge(grams, store, cell):
            return 0.05 * (n_columns / 768) ** 2 + 1e-3
        return 1.2 * (n / 3000) ** 3 + 1e-3
    return (3.0 * scale if isinstance(regressor, TunedSVR) else 8.0 * n / 3000) + 1e-3


def _fit_by_products(
    grams: Grams,
    store: Store,
    cells: Sequence[Cell],
    left_out: LeftOut,
    n_jobs: int | None,
    on_done: OnDone,
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
        regressor = store.regressors[cell.model]
        if isinstance(regressor, TunedRidge):
            alphas = [setting["alpha"] for setting in regressor.settings()]
            predicted = training.ridge_path(alphas)
        else:
            predicted = regressor.path(training)
        store.put(cell, left_out, predicted)
        on_done(work_of(grams, store, cell))

    n = len(grams.folds)
    run_jobs(fit, [(cell,) for cell in cells], n_jobs=n_jobs, job_bytes=4 * 8 * n * n)


def _fit(store: Store, cell: Cell, data: FoldData, left_out: LeftOut) -> None:
    store.put(cell, left_out, store.regressors[cell.model].path(data.training(left_out)))


def _adds(grams: Grams, store: Store, cell: Cell) -> bool:
    """Whether a cell is fitted on sums of its blocks' products."""
    if cell.candidate.units is None or len(grams.folds) > MAX_ROWS:
        return False
    regressor = store.regressors[cell.model]
    if isinstance(regressor, TunedRidge):
        return not _is_primal_ridge(grams, store, cell)
    return isinstance(regressor, TunedSVR)


def _is_primal_ridge(grams: Grams, store: Store, cell: Cell) -> bool:
    """As `FoldData.primal`, without reading the columns."""
    if not isinstance(store.regressors[cell.model], TunedRidge):
        return False
    numbers = grams.folds.numbers
    sizes = sorted((numbers == fold).sum() for fold in range(grams.folds.n_folds))
    return bool(_n_columns(grams, cell) <= len(numbers) - sum(sizes[-2:]))


def _n_columns(grams: Grams, cell: Cell) -> int:
    return sum(grams.banks.by_name[term.bank].width(term) for term in cell.candidate.terms)
