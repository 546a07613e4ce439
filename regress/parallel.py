"""Independent jobs over threads, one BLAS thread each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

Result = TypeVar("Result")


def run_jobs(
    function: Callable[..., Result],
    jobs: Iterable[tuple[Any, ...]],
    *,
    n_jobs: int | None = None,
    job_bytes: int = 0,
    memory: int | None = None,
    on_done: Callable[[], object] | None = None,
) -> list[Result]:
    """Results of ``function(*job)`` for each job, in order.

    Threads share the features, and all the heavy work lets go of the interpreter lock. The
    libraries' own threads are held to one: they would fight with ours for the same cores.

    Parameters
    ----------
    n_jobs
        Workers; None for one a core.
    job_bytes
        Memory that a job takes; fewer workers are used where it would not suffice for all.
    memory
        What there is for all jobs; None for what is free. One job runs in any case.
    on_done
        Called after each job.
    """
    workers = cpu_count() if n_jobs is None else n_jobs
    if job_bytes and workers > 1:
        workers = max(1, min(workers, (memory or available_memory()) // job_bytes))
    results = []
    with threadpool_limits(limits=1):
        pool = Parallel(n_jobs=workers, prefer="threads", return_as="generator")
        for result in pool(delayed(function)(*job) for job in jobs):
            results.append(result)
            if on_done is not None:
                on_done()
    return results


def available_memory() -> int:
    """Bytes that can be had without swapping; half of all memory where nobody says."""
    try:
        with open("/proc/meminfo", encoding="ascii") as meminfo:
            fields = dict(line.split(":") for line in meminfo)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
