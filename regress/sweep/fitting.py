"""Fitting the candidates of a sweep, each by the cheapest exact way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from regress.compute.parallel import each_result, in_processes, run_jobs
from regress.models.base import FittedModel, Matrix, Setting
from regress.models.estimator import TunedRegressor
from regress.models.kernel_ridge import TunedKernelRidge
from regress.models.ridge import TunedRidge
from regress.models.svr import TunedSVR
from regress.models.training import FoldData
from regress.sweep.candidates import BankBlock, Candidate
from regress.sweep.products import MAX_ROWS, Grams, Products
from regress.sweep.store import LeftOut, Store

#: Called with a share of the work, in seconds about, as it is done.
OnDone = Callable[[float], object]


#: Takes a part as soon as it is fitted.
Keep = Callable[[Candidate, LeftOut, Matrix], None]


Regressors = Mapping[str, TunedRegressor]


def fit_parts(
    grams: Grams,
    store: Store,
    wanted: Mapping[Candidate, Iterable[LeftOut]],
    *,
    n_jobs: int | None = None,
    on_done: OnDone = lambda work: None,
) -> None:
    """Fit the parts that are wanted and not there yet.

    Ridge with fewer columns than rows takes X'X of its columns; ridge with more, kernel ridge and
    SVR add the products of their blocks, which all that have the same folds left out share;
    everything else gets the columns themselves.
    """
    todo = {
        candidate: [
            left_out for left_out in dict.fromkeys(parts) if not store.has(candidate, left_out)
        ]
        for candidate, parts in wanted.items()
    }
    for candidate, parts in wanted.items():
        on_done(work_of(grams, store, candidate) * (len(set(parts)) - len(todo[candidate])))
    by_products = {
        candidate: parts for candidate, parts in todo.items() if _adds(grams, store, candidate)
    }
    small = {
        candidate: parts
        for candidate, parts in todo.items()
        if candidate not in by_products and _is_primal_ridge(grams, store, candidate)
    }

    def keep(candidate: Candidate, left_out: LeftOut, predicted: Matrix) -> None:
        store.put(candidate, left_out, predicted)
        on_done(work_of(grams, store, candidate))

    jobs = [(candidate, parts) for candidate, parts in small.items() if parts]
    fitted = each_result(_cell_parts, jobs, shared=(grams, store.regressors), n_jobs=n_jobs)
    for (candidate, parts), predictions in zip(jobs, fitted, strict=True):
        for left_out, predicted in zip(parts, predictions, strict=True):
            keep(candidate, left_out, predicted)
    every = dict.fromkeys(left_out for parts in by_products.values() for left_out in parts)
    batches = [
        ([candidate for candidate, parts in by_products.items() if left_out in parts], left_out)
        for left_out in sorted(every, key=lambda folds: (len(folds), folds))
    ]
    large = {
        candidate: parts
        for candidate, parts in todo.items()
        if parts and candidate not in by_products and candidate not in small
    }
    if in_processes():
        _fit_far(grams, store, batches, large, n_jobs, keep)
        return
    for candidates, left_out in batches:
        _fit_by_products(grams, store.regressors, candidates, left_out, n_jobs, keep)
    for candidate, parts in large.items():
        data = grams.fold_data(candidate.selection.terms)
        data.prepare()

        def fit_part(
            left_out: LeftOut, candidate: Candidate = candidate, data: FoldData = data
        ) -> None:
            path = store.regressors[candidate.model].path
            keep(candidate, left_out, path(data.training(left_out)))

        needs = store.regressors[candidate.model].job_bytes(data)
        run_jobs(fit_part, [(left_out,) for left_out in parts], n_jobs=n_jobs, job_bytes=needs)


def _fit_far(
    grams: Grams,
    store: Store,
    batches: Sequence[tuple[Sequence[Candidate], LeftOut]],
    large: Mapping[Candidate, Sequence[LeftOut]],
    n_jobs: int | None,
    keep: Keep,
) -> None:
    """The same in other processes, where products are taken once for each training set."""
    shared, n = (grams, store.regressors), len(grams.folds)
    by_sums = each_result(
        _parts_by_products, batches, shared=shared, n_jobs=n_jobs, job_bytes=4 * 8 * n * n
    )
    for (candidates, left_out), predictions in zip(batches, by_sums, strict=True):
        for candidate, predicted in zip(candidates, predictions, strict=True):
            keep(candidate, left_out, predicted)
    jobs = [(candidate, left_out) for candidate, parts in large.items() for left_out in parts]
    needs = [grams.job_bytes(candidate.selection.terms) for candidate in large]
    parts = each_result(_part, jobs, shared=shared, n_jobs=n_jobs, job_bytes=max(needs, default=0))
    for (candidate, left_out), predicted in zip(jobs, parts, strict=True):
        keep(candidate, left_out, predicted)


def _cell_parts(
    grams: Grams, regressors: Regressors, candidate: Candidate, parts: Sequence[LeftOut]
) -> list[Matrix]:
    data = grams.fold_data(candidate.selection.terms)
    return [regressors[candidate.model].path(data.training(left_out)) for left_out in parts]


def _parts_by_products(
    grams: Grams, regressors: Regressors, candidates: Sequence[Candidate], left_out: LeftOut
) -> list[Matrix]:
    fitted: dict[Candidate, Matrix] = {}

    def keep(candidate: Candidate, _: LeftOut, predicted: Matrix) -> None:
        fitted[candidate] = predicted

    _fit_by_products(grams, regressors, candidates, left_out, 1, keep)
    return [fitted[candidate] for candidate in candidates]


def _part(grams: Grams, regressors: Regressors, candidate: Candidate, left_out: LeftOut) -> Matrix:
    data = grams.last_fold_data(candidate.selection.terms)
    return regressors[candidate.model].path(data.training(left_out))


def refit(
    grams: Grams,
    store: Store,
    candidate: Candidate,
    target: int,
    setting: Setting,
    left_out: LeftOut = (),
) -> FittedModel:
    """A candidate's model of one target, fitted on all rows or without some folds."""
    data = grams.fold_data(candidate.selection.terms)
    chosen = [setting] * len(store.task.target_names)
    return store.regressors[candidate.model].refit(data.training(left_out), chosen)[target]


def work_of(grams: Grams, store: Store, candidate: Candidate) -> float:
    """How long a part takes, in seconds of one core, very roughly: what progress bars count."""
    n, n_columns = len(grams.folds), _n_columns(grams, candidate)
    scale = (n / 3000) ** 2
    regressor = store.regressors[candidate.model]
    if isinstance(regressor, TunedRidge):
        if _is_primal_ridge(grams, store, candidate):
            return 0.05 * (n_columns / 768) ** 2 + 1e-3
        return 1.2 * (n / 3000) ** 3 + 1e-3
    if isinstance(regressor, TunedKernelRidge):
        return 2.5 * (n / 3000) ** 3 + 1e-3
    return (3.0 * scale if isinstance(regressor, TunedSVR) else 8.0 * n / 3000) + 1e-3


def _fit_by_products(
    grams: Grams,
    regressors: Regressors,
    candidates: Sequence[Candidate],
    left_out: LeftOut,
    n_jobs: int | None,
    keep: Keep,
) -> None:
    uses: dict[BankBlock, int] = {}
    for candidate in candidates:
        for block in candidate.selection.blocks or ():
            uses[block] = uses.get(block, 0) + 1
    # Where not all fit, those that most candidates add are kept, and the others taken again.
    kept = sorted(uses, key=lambda block: -uses[block])[: grams.how_many_fit(left_out)]
    for block in uses:
        grams.training(block, left_out)  # reads the features, before threads ask for them
    taken = run_jobs(grams.products, [(block, left_out) for block in kept], n_jobs=n_jobs)
    known: dict[BankBlock, Products] = dict(zip(kept, taken, strict=True))

    def fit(candidate: Candidate) -> None:
        training = grams.combination(candidate.selection.blocks or (), left_out, known)
        regressor = regressors[candidate.model]
        if isinstance(regressor, TunedRidge):
            alphas = [setting["alpha"] for setting in regressor.settings()]
            predicted = training.ridge_path(alphas)
        else:
            predicted = regressor.path(training)
        keep(candidate, left_out, predicted)

    n = len(grams.folds)
    run_jobs(
        fit, [(candidate,) for candidate in candidates], n_jobs=n_jobs, job_bytes=4 * 8 * n * n
    )


def _adds(grams: Grams, store: Store, candidate: Candidate) -> bool:
    """Whether a candidate is fitted on sums of its blocks' products."""
    if candidate.selection.blocks is None or len(grams.folds) > MAX_ROWS:
        return False
    regressor = store.regressors[candidate.model]
    if isinstance(regressor, TunedRidge):
        return not _is_primal_ridge(grams, store, candidate)
    # Beyond its rows it approximates, from the columns.
    return regressor.takes_products and len(grams.folds) <= regressor.max_rows


def _is_primal_ridge(grams: Grams, store: Store, candidate: Candidate) -> bool:
    """As `FoldData.primal`, without reading the columns."""
    if not isinstance(store.regressors[candidate.model], TunedRidge):
        return False
    numbers = grams.folds.numbers
    sizes = sorted((numbers == fold).sum() for fold in range(grams.folds.n_folds))
    return bool(_n_columns(grams, candidate) <= len(numbers) - sum(sizes[-2:]))


def _n_columns(grams: Grams, candidate: Candidate) -> int:
    return sum(grams.banks.by_name[term.bank].width(term) for term in candidate.selection.terms)
