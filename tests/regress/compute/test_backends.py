"""Jobs on threads, processes and a Ray cluster: the same numbers, and the features sent once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from features import Bank
from features.errors import BankError, CorruptSegment, InputError, MissingTexts, RunError
from regress import TunedLightGBM, TunedSVR, evaluate
from regress.cli import app
from regress.compute import ray_processes
from regress.compute.parallel import BACKENDS, on_backend, run_jobs
from regress.sweep import Sweep, sweep
from tests.regress.conftest import MadeUpTask

MakeTask = Callable[..., MadeUpTask]
QUICK: list[Any] = ["ridge", TunedSVR([0.5], [1.0], [0.1]), TunedLightGBM(20, 10)]


@pytest.fixture(scope="module")
def ray_address() -> Iterator[str]:
    """A Ray cluster of two nodes, one CPU each, on loopback."""
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray about itself
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=node)
        cluster.add_node(**node)
        yield cluster.address
        cluster.shutdown()


class Counted:
    """Notes in a file that it was unpickled, and by whom."""

    def __init__(self, path: Path, values: np.ndarray) -> None:
        self.path, self.values = path, values

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        with self.path.open("a") as file:
            file.write(f"{os.getpid()}\n")


def total(counted: Counted, power: int) -> tuple[int, float]:
    return os.getpid(), float((counted.values**power).sum())


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_shared_reaches_each_worker_once(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    address = request.getfixturevalue("ray_address") if backend == "ray" else None
    path = tmp_path / "unpickled"
    counted = Counted(path, np.arange(300_000.0))
    expected = [float((counted.values**power).sum()) for power in range(8)]
    with on_backend(backend, address) as processes:
        for _ in range(2):
            results = run_jobs(total, [(p,) for p in range(8)], shared=(counted,), n_jobs=2)
            # Processors add up whole registers, from where an array begins in memory.
            assert [value for _, value in results] == pytest.approx(expected, rel=1e-12)
    if processes is None:
        assert {pid for pid, _ in results} == {os.getpid()}
        assert not path.exists()
        return
    pids = path.read_text().split()
    assert os.getpid() not in map(int, pids)
    assert len(pids) == len(set(pids)) <= 2  # 16 jobs
    assert len(processes.shared_bytes) == 1
    assert 0 <= processes.shared_bytes[0] - counted.values.nbytes < 2000
    assert processes.largest_task < 1000


def swept(task: MadeUpTask, **options: Any) -> Sweep:
    return sweep(task.bank, task.texts, task.y, **{"models": QUICK, "n_best": 2, **options})


#: Arrays that travelled begin elsewhere in memory, so that BLAS may add in another order; libsvm
#: stops within 1e-3 standard deviations (3), and where may turn on the last bit.
CLOSE = {"rtol": 0, "atol": 0.02}


def assert_same(one: Sweep, two: Sweep) -> None:
    for a, b in zip(one.results, two.results, strict=True):
        assert (a.select, a.model, a.params) == (b.select, b.model, b.params)
        np.testing.assert_allclose(a.predictions, b.predictions, **CLOSE)
        ones = np.ones((2, a.n_columns))
        np.testing.assert_allclose(a.fitted.predict(ones), b.fitted.predict(ones), **CLOSE)
    pd.testing.assert_frame_equal(one.leaderboard, two.leaderboard, rtol=1e-2, atol=1e-2)


@pytest.mark.slow
def test_a_sweep_on_two_nodes_equals_one_on_threads_and_processes(
    make_task: MakeTask, ray_address: str
) -> None:
    task = make_task(60)
    by_threads = swept(task)
    with on_backend("loky"):
        assert_same(by_threads, swept(task, n_jobs=2))
    with on_backend("ray", ray_address) as processes:
        assert_same(by_threads, swept(task))
    assert processes is not None
    # The texts and targets, once; where their features are, is a path.
    assert len(processes.shared_bytes) <= 3
    assert max(processes.shared_bytes) < 40_000
    assert processes.largest_task < 20_000


@pytest.mark.parametrize("memory", [None, 10_000])
def test_evaluate_on_processes_equals_threads(make_task: MakeTask, memory: int | None) -> None:
    task = make_task(60)
    options: dict[str, Any] = {"models": QUICK, "select": ["mean[-1]", "*[:]"], "memory": memory}
    by_threads = evaluate(task.bank, task.texts, task.y, **options)
    with on_backend("loky"):
        by_processes = evaluate(task.bank, task.texts, task.y, n_jobs=2, **options)
    for one, two in zip(by_threads.results, by_processes.results, strict=True):
        np.testing.assert_allclose(one.predictions, two.predictions, **CLOSE)


def fail(error: Exception) -> None:
    raise error


def die() -> None:
    os._exit(1)


def test_errors_come_back_as_they_are(tmp_path: Path) -> None:
    errors = [MissingTexts("lacks 2", 2, [0, 3]), CorruptSegment("bad", tmp_path)]
    with on_backend("loky"):
        for error in errors:
            with pytest.raises(type(error), match=str(error)) as caught:
                run_jobs(fail, [(error,), (error,)], n_jobs=2)
            assert vars(caught.value) == vars(error)
        with pytest.raises(ZeroDivisionError):
            run_jobs(fail, [(ZeroDivisionError(),)], n_jobs=2)


def test_a_worker_that_dies_is_told_in_a_sentence() -> None:
    with pytest.raises(RunError, match="a worker of the backend loky died.*fewer --jobs"):
        with on_backend("loky"):
            run_jobs(die, [(), ()], n_jobs=2)


def test_a_bank_that_a_worker_cannot_open(make_task: MakeTask) -> None:
    task = make_task(20)
    with pytest.raises(BankError, match=r"a worker on .* cannot open a bank .*all machines share"):
        with on_backend("loky"):
            run_jobs(n_texts, [(), ()], shared=(Moved(task.bank),), n_jobs=2)


def n_texts(bank: Bank) -> int:
    return bank.n_texts


class Moved:
    """A bank that stands nowhere else."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank

    def __reduce__(self) -> Any:
        return Bank.open, (self.bank.path.with_name("elsewhere"),)


def test_backends_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no backend 'dask': choose from threading, loky, ray"):
        with on_backend("dask"):
            pass
    with pytest.raises(InputError, match="the backend is loky: add --backend ray"):
        with on_backend("loky", "127.0.0.1:6379"):
            pass
    monkeypatch.setattr(ray_processes, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'layerbank\[ray\]'"):
        with on_backend("ray"):
            pass


def test_the_command_line_refuses_in_a_sentence(make_task: MakeTask, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    task = make_task(20)
    table = tmp_path / "train.csv"
    rows = [f'"{text}",{y}' for text, y in zip(task.texts, task.y, strict=True)]
    table.write_text("text,y\n" + "\n".join(rows))
    for command in ("sweep", "regress"):
        arguments = [command, str(table), "--target", "y", "--text", "text",
                     "--bank", str(task.bank.path), "--out", str(tmp_path / "run")]  # fmt: skip
        for options, message in (
            (["--address", "127.0.0.1:1"], "add --backend ray or drop --address"),
            (["--backend", "ray", "--address", "127.0.0.1:1"], "no Ray cluster answers at"),
        ):
            done = CliRunner().invoke(app, [*arguments, *options])
            assert isinstance(done.exception, InputError)
            assert message in str(done.exception)
            assert not (tmp_path / "run").exists()
