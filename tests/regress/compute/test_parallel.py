"""Jobs on threads: their order, their errors, and the libraries' own threads."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from regress.compute.parallel import each_result, run_jobs


def threads_of_libraries() -> set[int]:
    return {library["num_threads"] for library in threadpool_info()}


@pytest.mark.parametrize("n_jobs", [None, 1, 3])
def test_results_come_in_the_order_of_the_jobs(n_jobs: int | None) -> None:
    done: list[None] = []
    found = run_jobs(
        lambda a, b, c: (a, b, c), [(i, -i) for i in range(20)], shared=("a",), n_jobs=n_jobs,
        on_done=lambda: done.append(None),
    )  # fmt: skip
    assert found == [("a", i, -i) for i in range(20)]
    assert len(done) == 20
    assert run_jobs(abs, [], n_jobs=n_jobs) == []


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_result_comes_before_the_next_jobs_are_done(n_jobs: int) -> None:
    go_on = threading.Event()

    def job(i: int) -> int:
        if i:
            assert go_on.wait(60)
        return i

    results = each_result(job, [(i,) for i in range(4)], n_jobs=n_jobs)
    assert next(results) == 0
    go_on.set()
    assert [*results] == [1, 2, 3]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_after_an_error_no_further_job_is_begun(n_jobs: int) -> None:
    begun = []

    def job(i: int) -> None:
        begun.append(i)
        if i == 0:
            raise ZeroDivisionError("of job 0")
        time.sleep(0.01)

    with pytest.raises(ZeroDivisionError, match="of job 0"):
        run_jobs(job, [(i,) for i in range(1000)], n_jobs=n_jobs)
    assert len(begun) < 500


def test_libraries_have_one_thread_within_a_job_and_theirs_again_afterwards() -> None:
    with threadpool_limits(limits=2):
        assert run_jobs(threads_of_libraries, [(), ()], n_jobs=2) == [{1}, {1}]
        assert threads_of_libraries() == {2}


def test_also_libraries_that_were_loaded_later() -> None:
    code = (
        "from regress.compute.parallel import run_jobs\n"
        "from threadpoolctl import threadpool_info, threadpool_limits\n"
        "run_jobs(abs, [(1,)])\n"
        "before = len(threadpool_info())\n"
        "import lightgbm\n"
        "assert len(threadpool_info()) > before\n"
        "with threadpool_limits(limits=2):\n"
        "    (found,) = run_jobs(threadpool_info, [()])\n"
        "assert {library['num_threads'] for library in found} == {1}, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
