"""Forward searches of a sweep: run where the features are, and kept like any finished cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regress.compute.lapack import solve_positive
from regress.compute.parallel import each_result, run_jobs
from regress.sweep.candidates import Candidate, Unit, every_unit, of_units
from regress.sweep.fitting import OnDone
from regress.sweep.parts import LeftOut
from regress.sweep.places import Division
from regress.sweep.products import Grams

Single = NDArray[np.float32]


#: Penalties per column to choose from.
PENALTIES = tuple(float(penalty) for penalty in np.logspace(-2.5, 2.5, 21))


#: The search ends when the best candidate lowers the mean squared error by less than this share.
LEAST_GAIN = 0.002


MAX_STEPS = 10


#: Rows that candidates are ranked on at the most, drawn at random from more.
MAX_ROWS = 6000


#: Steps of `PENALTIES` that the first candidates are tried at.
_FIRST = slice(4, 17, 4)


#: Candidates that are tried before looking whether the others could still be better.
_BATCH = 4


@dataclass(frozen=True)
class Step:
    """A block that was added, and the mean squared error over the inner folds with it."""

    unit: Unit
    error: float


class _Ranking:
    """Products of every block over the rows that are not in the folds left out."""

    def __init__(
        self, grams: Grams, units: Sequence[Unit], left_out: Sequence[int], target: int
    ) -> None:
        rows = np.concatenate(
            [grams.folds.rows([f]) for f in range(grams.folds.n_folds) if f not in left_out]
        )
        most = ranked_rows(grams, len(units))
        if len(rows) > most:
            drawn = np.random.default_rng(0).choice(len(rows), most, replace=False)
            rows = rows[np.sort(drawn)]
        self.grams, self.units, self.left_out, self.rows = grams, units, left_out, rows
        y, weights = grams.task.Y[rows, target], grams.task.weights
        self.weights = np.ones(len(rows)) if weights is None else weights[rows]
        # Rows of the system are multiplied by the roots of their weights.
        self.roots = None if weights is None else np.sqrt(self.weights).astype(np.float32)
        centred = y - np.average(y, weights=self.weights)
        deviation = np.average(centred**2, weights=self.weights) ** 0.5
        self.y = (centred / (deviation or 1.0)).astype(np.float32)
        numbers = grams.folds.numbers[rows]
        stops = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(rows)]
        self.folds = [slice(start, stop) for start, stop in pairwise(stops)]
        self.n_active = {u: grams.training(u, left_out).n_active for u in units}

    def products(self, unit: Unit) -> Single:
        Z = self.grams.training(unit, self.left_out).standardised(self.rows).astype(np.float32)
        return Z @ Z.T

    def error(self, K: Single, penalty: float) -> float:
        """Mean over the inner folds of the mean squared error, in variances of the target."""
        errors = []
        for fold in self.folds:
            train = np.r_[0 : fold.start, fold.stop : len(K)]
            A = K[np.ix_(train, train)]
            both = np.stack([self.y[train], np.ones(len(train), np.float32)], axis=1)
            if self.roots is not None:
                A *= self.roots[train]
                A *= self.roots[train, None]
                both *= self.roots[train, None]
            A.reshape(-1)[:: len(train) + 1] += np.float32(penalty)
            try:
                # The free intercept: the residuals' weights must sum to zero.
                solved = solve_positive(A, both)
            except np.linalg.LinAlgError:
                return float("inf")
            if self.roots is not None:
                solved *= self.roots[train, None]
            of_y, of_one = solved.astype(np.float64).T
            intercept = of_y.sum() / of_one.sum()
            dual = of_y - intercept * of_one
            predicted = K[fold][:, train] @ dual + intercept
            squared = (self.y[fold] - predicted) ** 2
            errors.append(float(np.average(squared, weights=self.weights[fold])))
        return float(np.mean(errors))


def ranked_rows(grams: Grams, n_units: int) -> int:
    """Rows that candidates are ranked on at the most: fewer than `MAX_ROWS` in little memory."""
    return min(MAX_ROWS, max(200, int((grams.steady_memory / 8 / n_units) ** 0.5)))


def forward_search(
    grams: Grams,
    units: Sequence[Unit],
    *,
    left_out: Sequence[int] = (),
    target: int = 0,
    max_steps: int = MAX_STEPS,
    n_jobs: int | None = None,
    on_done: Callable[[float], object] = lambda share: None,
) -> list[Step]:
    """Blocks in the order in which they lower the error of ridge over the inner folds.

    Parameters
    ----------
    units
        Blocks to choose from.
    left_out
        Folds that the search must not see; two others at least must be left to it.
    target
        Which column of the targets.
    on_done
        Called with the share of the longest possible search that a step was.
    """
    ranking = _Ranking(grams, units, left_out, target)
    units = [unit for unit in units if ranking.n_active[unit]]
    products = dict(
        zip(
            units,
            run_jobs(ranking.products, [(unit,) for unit in units], n_jobs=n_jobs),
            strict=True,
        )
    )
    steps: list[Step] = []
    total = np.zeros((len(ranking.rows),) * 2, dtype=np.float32)
    n_active, penalty = 0, 0.0

    def tried(unit: Unit, penalties: Sequence[float]) -> tuple[float, float]:
        K = total + products[unit]
        columns = n_active + ranking.n_active[unit]
        return min((ranking.error(K, each * columns), each) for each in penalties)

    gains = dict.fromkeys(units, float("inf"))
    max_steps = min(max_steps, len(units))
    for number in range(max_steps):
        before = steps[-1].error if steps else 1.0
        penalties = [penalty] if steps else list(PENALTIES[_FIRST])
        scored: dict[Unit, tuple[float, float]] = {}
        waiting = sorted(gains, key=lambda unit: -gains[unit])
        while waiting and (not scored or gains[waiting[0]] > max(gains[unit] for unit in scored)):
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            of_batch = run_jobs(tried, [(unit, penalties) for unit in batch], n_jobs=n_jobs)
            scored |= dict(zip(batch, of_batch, strict=True))
            gains |= {unit: before - error for unit, (error, _) in scored.items()}
        best = min(scored, key=lambda unit: scored[unit])
        error, penalty = _tuned(partial(_error_of, tried, best), *scored[best])
        if steps and error > (1 - LEAST_GAIN) * before:
            on_done((max_steps - number) / max_steps)
            break
        del gains[best]
        total += products[best]
        n_active += ranking.n_active[best]
        steps.append(Step(best, error))
        on_done(1 / max_steps)
    return steps


def _error_of(
    tried: Callable[[Unit, Sequence[float]], tuple[float, float]], unit: Unit, penalty: float
) -> float:
    return tried(unit, [penalty])[0]


def _tuned(error_at: Callable[[float], float], error: float, penalty: float) -> tuple[float, float]:
    """Walk downhill over `PENALTIES` from a penalty; the error and penalty where that ends."""
    start = PENALTIES.index(penalty)
    for step in (1, -1):
        at, moved = start, False
        while 0 <= at + step < len(PENALTIES):
            here = error_at(PENALTIES[at + step])
            if here >= error:
                break
            at, error, moved = at + step, here, True
        if moved:
            return error, PENALTIES[at]
    return error, penalty


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
