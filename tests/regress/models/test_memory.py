"""The X'X of every fold counts as memory, and is taken anew where it does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from regress.data.folds import make_folds, row_keys
from regress.models import tuning
from regress.models.ridge import TunedRidge
from regress.models.training import FoldData
from regress.models.tuning import tune
from regress.sweep import sweep
from tests.regress.conftest import MadeUpTask

N, D, FOLDS = 90, 30, 5
GRAMS = 8 * FOLDS * D * (D + 2)


def data(memory: int | None, *, n: int = N, d: int = D) -> FoldData:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((n, d)).astype(np.float32), rng.standard_normal((n, 2))
    folds = make_folds(row_keys(X), Y, n_folds=FOLDS)
    return FoldData(X, Y, folds, rng.uniform(1, 2, n), memory=memory)


@pytest.mark.parametrize("spare", [2 * GRAMS, 2 * GRAMS - 16])
def test_numbers_stay_the_same_where_it_does_not_fit(spare: int) -> None:
    limited = data(4 * N * D + spare)
    assert limited.grams_bytes == GRAMS
    assert limited.keeps_grams == (spare == 2 * GRAMS)
    [expected], [found] = tune(data(None), [TunedRidge()]), tune(limited, [TunedRidge()])
    np.testing.assert_array_equal(found.predictions, expected.predictions)
    np.testing.assert_array_equal(found.cv_rmse, expected.cv_rmse)
    assert ("grams" in vars(limited)) == limited.keeps_grams


def test_what_is_held_is_not_there_for_the_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    run_jobs = tuning.run_jobs

    def watched(*args: Any, **options: Any) -> Any:
        seen.append(options["memory"])
        return run_jobs(*args, **options)

    monkeypatch.setattr(tuning, "run_jobs", watched)
    memory = 4 * N * D + 3 * GRAMS
    tune(data(memory), [TunedRidge()])
    assert set(seen) == {2 * GRAMS}
    seen.clear()
    tune(data(None), [TunedRidge()])
    assert set(seen) == {None}
    # Where columns are many there is no X'X, but X is still there.
    wide = data(10**6, n=40, d=60)
    assert not wide.keeps_grams
    assert wide.job_memory == 10**6 - 4 * 40 * 60


def test_a_sweep_counts_it_for_each_of_its_workers(
    task: MadeUpTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from regress.sweep import fitting

    seen: list[tuple[int, int | None]] = []
    each_result = fitting.each_result

    def watched(function: Any, jobs: Any, **options: Any) -> Any:
        if function is fitting._all_fits and jobs:
            seen.append((options["job_bytes"], options["memory"]))
        return each_result(function, jobs, **options)

    monkeypatch.setattr(fitting, "each_result", watched)
    given = (task.bank, task.texts, task.y)
    expected = sweep(*given, models="ridge", greedy=False)
    limited = sweep(*given, models="ridge", greedy=False, memory=60_000)
    np.testing.assert_array_equal(limited.leaderboard["rmse"], expected.leaderboard["rmse"])
    most = 4 * 60 * 36 + 8 * (5 * 36**2 + 5 * 36**2 + 3 * 60 * 36)  # of the widest: cls[:]+mean[:]
    assert dict(seen).keys() == {most}
    assert {memory for _, memory in seen} == {None, 60_000}
