"""Fitting the candidates of a sweep, each by the cheapest exact way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from regress.compute.arrays import Matrix
from regress.compute.parallel import each_result, in_processes, run_jobs
from regress.data.matrix import n_columns
from regress.models.base import FittedModel, Setting
from regress.models.estimator import TunedRegressor
from regress.models.training import FoldData, Size
from regress.sweep.candidates import BankBlock, Candidate
from regress.sweep.products import MOST_SUMMED_ROWS, Grams, LeftOut, Products
from regress.sweep.store import Store
from regress.sweep.sums import Sums

#: Hears of work as it is done, in seconds of one core, about.
OnDone = Callable[[float], object]

#: Takes what a fit predicts.
Keep = Callable[[Candidate, LeftOut, Matrix], None]

#: Fits of candidates, each by the folds that it leaves out.
Fits = Mapping[Candidate, Sequence[LeftOut]]

Regressors = Mapping[str, TunedRegressor]


def fit_candidates(
    grams: Grams,
    store: Store,
    wanted: Mapping[Candidate, Iterable[LeftOut]],
    *,
    n_jobs: int | None = None,
    on_done: OnDone = lambda work: None,
    n_best: int = 0,
) -> None:
    """Make the fits that are wanted and not there yet.

    Each regressor says what serves a candidate best. Where it takes products of rows, those of the
    candidate's blocks are added up, which all candidates share that leave out the same folds.
    Where its training sets share X'X, all fits of a candidate are one job. Everything else gets
    the columns.

    Parameters
    ----------
    n_best
        Of how many of the best selections of a training set the sums are to be kept, for further
        regressors. Decides no number.
    """
    todo: dict[Candidate, list[LeftOut]] = {}
    for candidate, fits in wanted.items():
        distinct = dict.fromkeys(fits)
        todo[candidate] = [left_out for left_out in distinct if not store.has(candidate, left_out)]
        on_done(work_of(grams, store, candidate) * (len(distinct) - len(todo[candidate])))

    def keep(candidate: Candidate, left_out: LeftOut, predicted: Matrix) -> None:
        store.put(candidate, left_out, predicted)
        on_done(work_of(grams, store, candidate))

    by_products: dict[Candidate, list[LeftOut]] = {}
    primal: dict[Candidate, list[LeftOut]] = {}
    by_columns: dict[Candidate, list[LeftOut]] = {}
    for candidate, unfinished in todo.items():
        if _adds(grams, store, candidate):
            by_products[candidate] = unfinished
        elif unfinished:
            shares = _regressor(store, candidate).is_primal(_size(grams, candidate))
            (primal if shares else by_columns)[candidate] = unfinished
    _fit_primal(grams, store, primal, n_jobs, keep)
    batches = _batches(by_products)
    if in_processes():
        _fit_far(grams, store, batches, by_columns, n_jobs, keep)
    else:
        for candidates, left_out in batches:
            sums = _fit_by_products(grams, store.regressors, candidates, left_out, n_jobs, keep)
            _keep_best(grams, store, candidates, left_out, n_best, sums)
        for candidate, unfinished in by_columns.items():
            _fit_by_columns(grams, store, candidate, unfinished, n_jobs, keep)
    store.parts.settle()


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
    return _regressor(store, candidate).refit(data.training(left_out), chosen)[target]


def work_of(grams: Grams, store: Store, candidate: Candidate) -> float:
    """How long a fit takes, in seconds of one core, very roughly: what progress bars count."""
    return _regressor(store, candidate).work(_size(grams, candidate))


def _regressor(store: Store, candidate: Candidate) -> TunedRegressor:
    return store.regressors[candidate.model]


def _size(grams: Grams, candidate: Candidate) -> Size:
    columns = n_columns(grams.banks.by_name, candidate.selection.terms)
    return Size(len(grams.folds), columns, grams.folds.n_train)


def _adds(grams: Grams, store: Store, candidate: Candidate) -> bool:
    """Whether a candidate is fitted on sums of its blocks' products."""
    if candidate.selection.blocks is None or len(grams.folds) > MOST_SUMMED_ROWS:
        return False
    return _regressor(store, candidate).takes_products(_size(grams, candidate))


def _batches(fits: Fits) -> list[tuple[list[Candidate], LeftOut]]:
    """The candidates that leave out the same folds, single folds first."""
    every = dict.fromkeys(left_out for unfinished in fits.values() for left_out in unfinished)
    return [
        ([candidate for candidate, unfinished in fits.items() if left_out in unfinished], left_out)
        for left_out in sorted(every, key=lambda folds: (len(folds), folds))
    ]


def _fit_primal(grams: Grams, store: Store, fits: Fits, n_jobs: int | None, keep: Keep) -> None:
    shared = (grams, store.regressors)
    needs = [grams.primal_bytes(candidate.selection.terms) for candidate in fits]
    fitted = each_result(
        _all_fits, [*fits.items()], shared=shared, n_jobs=n_jobs,
        job_bytes=max(needs, default=0), memory=grams.limit,
    )  # fmt: skip
    for (candidate, unfinished), predictions in zip(fits.items(), fitted, strict=True):
        for left_out, predicted in zip(unfinished, predictions, strict=True):
            keep(candidate, left_out, predicted)


def _fit_by_products(
    grams: Grams,
    regressors: Regressors,
    candidates: Sequence[Candidate],
    left_out: LeftOut,
    n_jobs: int | None,
    keep: Keep,
) -> Sums:
    """Fit candidates on one training set, and return the sums that they were fitted on."""
    uses: dict[BankBlock, int] = {}
    added: list[Sequence[BankBlock]] = []
    for candidate in candidates:
        blocks = candidate.selection.blocks or ()
        for block in blocks:
            grams.training(block, left_out)  # reads the features, before threads ask for them
        if not grams.has_kept(blocks, left_out):
            added.append(blocks)
            for block in blocks:
                uses[block] = uses.get(block, 0) + 1
    # Where not all fit, those that most candidates add are kept, and the others taken again.
    most = grams.how_many_fit(left_out)
    kept = sorted(uses, key=lambda block: -uses[block])[:most]
    taken = run_jobs(grams.products, [(block, left_out) for block in kept], n_jobs=n_jobs)
    known: dict[BankBlock, Products] = dict(zip(kept, taken, strict=True))
    sums = Sums(grams, left_out, known, added, most - len(kept))

    def fit(candidate: Candidate) -> None:
        blocks = candidate.selection.blocks or ()
        total = grams.kept(blocks, left_out) or sums.total(blocks)
        training = grams.combination(blocks, left_out, total)
        keep(candidate, left_out, regressors[candidate.model].path_on_products(training))

    n = len(grams.folds)
    jobs = [(candidate,) for candidate in candidates]
    run_jobs(fit, jobs, n_jobs=n_jobs, job_bytes=4 * 8 * n * n)
    return sums


def _keep_best(
    grams: Grams,
    store: Store,
    candidates: Sequence[Candidate],
    left_out: LeftOut,
    n_best: int,
    sums: Sums,
) -> None:
    """Keep the sums of the selections that are best here: likely, they are tried again."""
    if not (n_best and left_out):
        return
    errors = [
        np.mean([store.errors(candidate, left_out, fold).min(axis=0) for fold in left_out], axis=0)
        for candidate in candidates
    ]
    for of_target in np.transpose(errors):
        for number in np.argsort(of_target)[:n_best].tolist():
            blocks = candidates[number].selection.blocks or ()
            if not grams.has_kept(blocks, left_out):
                grams.keep(blocks, left_out, sums.total(blocks))


def _fit_by_columns(
    grams: Grams,
    store: Store,
    candidate: Candidate,
    unfinished: Sequence[LeftOut],
    n_jobs: int | None,
    keep: Keep,
) -> None:
    data: FoldData = grams.fold_data(candidate.selection.terms)
    data.prepare()
    regressor = _regressor(store, candidate)

    def fit(left_out: LeftOut) -> None:
        keep(candidate, left_out, regressor.path(data.training(left_out)))

    jobs = [(left_out,) for left_out in unfinished]
    job_bytes, memory = regressor.job_bytes(data), data.job_memory
    run_jobs(fit, jobs, n_jobs=n_jobs, job_bytes=job_bytes, memory=memory)


def _fit_far(
    grams: Grams,
    store: Store,
    batches: Sequence[tuple[Sequence[Candidate], LeftOut]],
    by_columns: Fits,
    n_jobs: int | None,
    keep: Keep,
) -> None:
    """The same in other processes, where products are taken once for each training set."""
    shared, n = (grams, store.regressors), len(grams.folds)
    fitted = each_result(
        _batch_by_products, batches, shared=shared, n_jobs=n_jobs, job_bytes=4 * 8 * n * n
    )
    for (candidates, left_out), predictions in zip(batches, fitted, strict=True):
        for candidate, predicted in zip(candidates, predictions, strict=True):
            keep(candidate, left_out, predicted)
    jobs = [(candidate, left_out) for candidate, fits in by_columns.items() for left_out in fits]
    needs = [grams.job_bytes(candidate.selection.terms) for candidate in by_columns]
    single = each_result(
        _one_fit, jobs, shared=shared, n_jobs=n_jobs, job_bytes=max(needs, default=0)
    )
    for (candidate, left_out), predicted in zip(jobs, single, strict=True):
        keep(candidate, left_out, predicted)


def _all_fits(
    grams: Grams, regressors: Regressors, candidate: Candidate, fits: Sequence[LeftOut]
) -> list[Matrix]:
    data = grams.fold_data(candidate.selection.terms)
    return [regressors[candidate.model].path(data.training(left_out)) for left_out in fits]


def _one_fit(
    grams: Grams, regressors: Regressors, candidate: Candidate, left_out: LeftOut
) -> Matrix:
    data = grams.last_fold_data(candidate.selection.terms)
    return regressors[candidate.model].path(data.training(left_out))


def _batch_by_products(
    grams: Grams, regressors: Regressors, candidates: Sequence[Candidate], left_out: LeftOut
) -> list[Matrix]:
    fitted: dict[Candidate, Matrix] = {}

    def keep(candidate: Candidate, _: LeftOut, predicted: Matrix) -> None:
        fitted[candidate] = predicted

    _fit_by_products(grams, regressors, candidates, left_out, 1, keep)
    return [fitted[candidate] for candidate in candidates]
