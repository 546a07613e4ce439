"""Independent jobs over threads, processes or a Ray cluster; one BLAS thread each.

Threads share memory, and so are the fastest on one machine. Processes (``loky``) and the workers
of a Ray cluster (``ray``) are joblib's own backends, with `regress.processes` between.
"""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeVar

from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from features.errors import InputError, LayerbankError, RunError
from regress.processes import Held, LokyProcesses, Processes, as_fit, available_memory

__all__ = [
    "available_memory",
    "each_result",
    "in_processes",
    "n_workers",
    "on_backend",
    "run_jobs",
]

Result = TypeVar("Result")

BACKENDS = ("threading", "loky", "ray")
#: How long a Ray cluster may take to answer, seconds.
ANSWER_SECONDS = 5.0
#: Bytes of a job for which Ray need reserve none.
_SMALL_JOB = 64 << 20


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
    with threadpool_limits(limits=1):
        pool = Parallel(n_jobs=workers, backend="threading", return_as="generator")
        yield from pool(delayed(function)(*shared, *job) for job in jobs)


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


class RayProcesses(Processes):
    """Actors of a Ray cluster, a CPU each; what they share lies in its object store."""

    def __init__(self, address: str | None) -> None:
        super().__init__()
        if find_spec("ray") is None:
            raise InputError(
                "--backend ray needs Ray, which is not installed: pip install 'layerbank[ray]'"
            )
        # Nothing is reported to anyone.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        self._ray: Any = ray
        if not ray.is_initialized():
            _connect(address)
            self._stack.callback(ray.shutdown)
        elif address not in (None, there := ray.get_runtime_context().gcs_address):
            raise InputError(
                f"this process works on the Ray cluster {there} already: drop --address {address}"
            )
        _register_ray()

    def n_cores(self) -> int:
        return max(int(node["CPU"]) for node in self._machines())

    def lost_a_worker(self, error: Exception) -> bool:
        return isinstance(error, self._ray.exceptions.RayError)

    def _machines(self) -> list[dict[str, Any]]:
        """Resources of the machines that may work."""
        alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        machines = [resources for resources in alive if resources.get("CPU", 0) >= 1]
        if not machines:
            raise InputError("no machine of the Ray cluster has a CPU to offer: add one")
        return machines

    def _keep(self, data: bytes, arrays: list[Any]) -> Held:
        reference = self._ray.put((data, arrays))
        return Held(reference.hex(), _Stored(reference))

    def _options(self, n_jobs: int | None, job_bytes: int, memory: int | None) -> dict[str, Any]:
        machines = self._machines()
        workers = sum(
            as_fit(int(one["CPU"]), job_bytes, [memory, int(one.get("memory", 0))])
            for one in machines
        )
        # In powers of two, so that stages which need about as much keep the same workers.
        reserved = 0 if job_bytes < _SMALL_JOB else 1 << (job_bytes - 1).bit_length()
        reserved = min([reserved, *(int(one.get("memory", 0)) for one in machines)])
        return {
            "backend": "ray",
            "n_jobs": workers if n_jobs is None else min(n_jobs, workers),
            "ray_remote_args": {"num_cpus": 1, "memory": reserved},
        }


def _connect(address: str | None) -> None:
    import ray

    wanted = address or os.environ.get("RAY_ADDRESS") or "local"
    missing = InputError(
        f"no Ray cluster answers at {wanted}: start one with `ray start --head`, or leave out "
        "--address to work on this machine alone"
    )
    host, colon, port = wanted.rpartition("://")[2].rpartition(":")
    if colon:
        try:  # Ray itself would try for minutes, then end the process
            with socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS):
                pass
        except (OSError, ValueError, OverflowError):
            raise missing from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Ray about itself
            ray.init(
                address=wanted,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, RuntimeError, ValueError, SystemExit) as error:
        raise missing from error


def _register_ray() -> None:
    """Ray's backend of joblib, with results as they come."""
    from joblib import register_parallel_backend
    from ray.util.joblib import register_ray
    from ray.util.joblib.ray_backend import RayBackend

    class Backend(RayBackend):
        # It calls back with each result, which is all that joblib's generators need.
        supports_return_generator = True

    register_ray()  # type: ignore[no-untyped-call]
    register_parallel_backend("ray", Backend)


@dataclass(frozen=True)
class _Stored:
    reference: Any

    def __call__(self) -> tuple[bytes, list[Any]]:
        import ray

        data, arrays = ray.get(self.reference)
        return data, arrays


#: Where jobs run that leave this process.
_processes: ContextVar[Processes | None] = ContextVar("_processes", default=None)
