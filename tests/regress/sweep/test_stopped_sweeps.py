"""A sweep that was stopped goes on: what is finished is kept, and is never taken for another's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from regress.sweep import Sweep, sweep
from regress.sweep.candidates import Candidate, combinations, single_blocks
from tests.regress.conftest import Cli, MadeUpTask
from tests.regress.sweep.bench import Bench

MakeTask = Callable[..., MadeUpTask]
pytestmark = pytest.mark.usefixtures("without_reports")


def swept(task: MadeUpTask, cache: Path) -> Sweep:
    return sweep(task.bank, task.texts, task.y, models="ridge", cache=cache)


def assert_same(first: Sweep, again: Sweep) -> None:
    """Fits that are made anew stand in other batches, where LAPACK may add in another order."""
    predictions = [swept.results[0].predictions for swept in (first, again)]
    np.testing.assert_allclose(*predictions, rtol=0, atol=1e-9)


def test_a_stopped_sweep_goes_on(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(40)
    first = swept(task, tmp_path / "parts")
    parts = sorted((tmp_path / "parts").iterdir())
    for part in parts[::3]:
        part.unlink()
    kept = {part: part.stat().st_mtime_ns for part in parts if part.exists()}
    again = swept(task, tmp_path / "parts")
    assert kept == {part: part.stat().st_mtime_ns for part in kept}
    assert sorted((tmp_path / "parts").iterdir()) == parts
    assert_same(first, again)


def test_parts_that_a_power_cut_left_without_their_end_are_made_anew(
    make_task: MakeTask, tmp_path: Path
) -> None:
    task = make_task(40)
    first = swept(task, tmp_path / "parts")
    for number, part in enumerate(sorted((tmp_path / "parts").iterdir())):
        part.write_bytes(part.read_bytes()[: (0, 60, -8)[number % 3]])
    again = swept(task, tmp_path / "parts")
    assert_same(first, again)


def test_finished_fits_are_not_made_again(task: MadeUpTask, tmp_path: Path) -> None:
    first = Bench(task, tmp_path / "a")
    every = [*single_blocks(first.banks), *combinations(first.banks)]
    candidates = [Candidate("ridge", selection) for selection in every]
    first.fit(*candidates)
    written = {p: p.stat().st_mtime_ns for p in (tmp_path / "a").iterdir()}
    done: list[float] = []
    again = Bench(task, tmp_path / "a")
    again.fit(*candidates, on_done=done.append)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "a").iterdir()} == written
    assert sum(done) > 0
    other = Bench(task, tmp_path / "a", Y=task.y**2)
    assert not any(other.store.has(candidate, (0,)) for candidate in candidates)


def test_parts_are_not_taken_for_those_of_other_weights_or_folds(
    cli: Cli, task: MadeUpTask, table: Path, tmp_path: Path
) -> None:
    base = ["sweep", table, "--target", "score", "--bank", task.bank.path, "--model", "ridge",
            "--no-greedy", "--out", tmp_path / "run", "--force", "--json"]  # fmt: skip
    scores = []
    options = ([], ["--sample-weight", "weight"], ["--fold-column", "fold"], ["--repeats", 2])
    for given in options:
        code, out, _ = cli(*base, *given)
        assert code == 0
        scores.append(json.loads(out)["results"][0]["rmse"])
    assert len(set(scores)) == len(options)
    kept = sorted((tmp_path / "run.parts").iterdir())
    times = [path.stat().st_mtime_ns for path in kept]
    assert json.loads(cli(*base, "--sample-weight", "weight")[1])["results"][0]["rmse"] == scores[1]
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert sorted((tmp_path / "run.parts").iterdir()) == kept
