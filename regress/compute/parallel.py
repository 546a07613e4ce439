"""Independent jobs over threads, processes or a Ray cluster; one BLAS thread each.

Threads share memory, and so are the fastest on one machine. Processes (``loky``) and the workers
of a Ray cluster (``ray``) are joblib's own backends, with `regress.compute.processes` between.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TypeVar

from joblib import cpu_count
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from features.errors import InputError, LayerbankError, RunError
from regress.compute.memory import as_fit
from regress.compute.processes import LokyProcesses, Processes
from regress.compute.ray_processes import RayProcesses

Result = TypeVar("Result")

BACKENDS = ("threading", "loky", "ray")

#: Where jobs run that leave this process.
_processes: ContextVar[Processes | None] = ContextVar("_processes", default=None)


def run_jobs(
    function: Callable[..., Result],
    jobs: Iterable[tuple[Any, ...]],
    *,
    shared: tuple[Any, ...] = (),
    n_jobs: int | None = None,
    job_bytes: int = 0,
    memory: int | None = None,
    on_done: Callable[[], object] | None = None,
) -> list[Result]:
    """Results of ``function(*shared, *job)`` for each job, in order.

    On threads all the heavy work lets go of the interpreter lock. The libraries' own threads are
    held to one: they would fight with ours for the same cores.

    Parameters
    ----------
    shared
        First arguments of every job. Processes get them once, and read-only.
    n_jobs
        Workers; None for one a core.
    job_bytes
        Memory that a job takes; fewer workers are used where it would not suffice for all.
    memory
        What there is for all jobs of a machine; None for what is free. One job runs in any case.
    on_done
        Called after each job.
    """
    results = []
    for result in each_result(
        function, jobs, shared=shared, n_jobs=n_jobs, job_bytes=job_bytes, memory=memory
    ):
        results.append(result)
        if on_done is not None:
            on_done()
    return results


def each_result(
    function: Callable[..., Result],
    jobs: Iterable[tuple[Any, ...]],
    *,
    shared: tuple[Any, ...] = (),
    n_jobs: int | None = None,
    job_bytes: int = 0,
    memory: int | None = None,
) -> Iterator[Result]:
    """As `run_jobs`, each result as soon as it and those before it are there."""
    processes = _processes.get()
    if processes is not None:
        yield from processes.run(function, [*jobs], shared, n_jobs, job_bytes, memory)
        return
    jobs = [*jobs]
    most = cpu_count() if n_jobs is None else min(n_jobs, max(1, len(jobs)))
    workers = as_fit(most, job_bytes, [memory])
    with _libraries(len(sys.modules)).limit(limits=1):
        if workers == 1:
            yield from (function(*shared, *job) for job in jobs)
            return
        # Not joblib's threads, which take 13 ms to start and be asked: a small sweep has hundreds.
        pool = ThreadPoolExecutor(workers)
        try:
            yield from pool.map(lambda job: function(*shared, *job), jobs)
        finally:
            pool.shutdown(cancel_futures=True)


@lru_cache(maxsize=1)
def _libraries(n_modules: int) -> ThreadpoolController:
    """Those with threads of their own. Looking for them takes 3 ms; more come with more modules."""
    return ThreadpoolController()


@contextmanager
def on_backend(
    backend: str = "threading", address: str | None = None
) -> Iterator[Processes | None]:
    """Within this context, `run_jobs` works on threads, on processes or on a Ray cluster.

    Parameters
    ----------
    backend
        One of `BACKENDS`.
    address
        Of the Ray cluster, ``host:port``, where banks must have the same paths as here; None for
        that of ``$RAY_ADDRESS``, or for one started on this machine for the purpose.

    Raises
    ------
    InputError
        An unknown backend; an address without Ray; the extra ``ray`` is not installed; no
        cluster answers.
    RunError
        A worker died.
    """
    if backend not in BACKENDS:
        raise InputError(f"there is no backend {backend!r}: choose from {', '.join(BACKENDS)}")
    if address is not None and backend != "ray":
        raise InputError(
            f"--address names a Ray cluster, and the backend is {backend}: add --backend ray or "
            "drop --address"
        )
    if backend == "threading":
        yield None
        return
    with RayProcesses(address) if backend == "ray" else LokyProcesses() as processes:
        token = _processes.set(processes)
        try:
            yield processes
        except LayerbankError:
            raise
        except Exception as error:
            if not processes.lost_a_worker(error):
                raise
            raise RunError(
                f"a worker of the backend {backend} died, mostly for want of memory "
                f"({str(error).strip().partition(chr(10))[0]}): call again with fewer --jobs"
            ) from error
        finally:
            _processes.reset(token)


def n_workers(n_jobs: int | None) -> int | None:
    """`n_jobs` with scikit-learn's -1 as None, one a core; InputError where it is no number."""
    if n_jobs is not None and n_jobs < 1 and n_jobs != -1:
        raise InputError(f"n_jobs takes a number from 1 on, or None for one a core, not {n_jobs}")
    return None if n_jobs == -1 else n_jobs


def in_processes() -> bool:
    """Whether jobs leave this process, so that what they need has to travel."""
    return _processes.get() is not None


def workers_a_machine(n_jobs: int | None) -> int:
    """How many workers share the memory of one machine, at the most."""
    processes = _processes.get()
    n_cores = cpu_count() if processes is None else processes.n_cores()
    return n_cores if n_jobs is None else max(1, min(n_jobs, n_cores))
