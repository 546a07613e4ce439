"""Processes that work on independent jobs, and get what all jobs share once.

What is shared, the features above all, is pickled a single time, its arrays apart, and kept in a
file or in an object store; every worker holds on to what it made of it. A task is then a few
hundred bytes.
"""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import socket
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from operator import is_
from pathlib import Path
from typing import Any, NamedTuple, Self

import joblib
import numpy as np
from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from features.errors import BankError, InputError
from regress.compute.memory import as_fit


class Held(NamedTuple):
    """What all jobs share, pickled: its name, and how a worker comes by it."""

    name: str
    fetch: Callable[[], tuple[bytes, list[Any]]]


class Processes(ABC):
    """Workers with memory of their own, kept from one call to the next.

    Attributes
    ----------
    shared_bytes
        Of everything that was shared, its bytes.
    largest_task
        Bytes of the largest single task.
    """

    def __init__(self) -> None:
        self.shared_bytes: list[int] = []
        self.largest_task = 0
        self._stack = ExitStack()
        self._pool: tuple[str, Parallel] | None = None
        self._shared: tuple[tuple[Any, ...], Held] | None = None

    @abstractmethod
    def n_cores(self) -> int:
        """Workers that one machine may have."""

    @abstractmethod
    def lost_a_worker(self, error: Exception) -> bool:
        """Whether an error says that a worker died."""

    @abstractmethod
    def _keep(self, data: bytes, arrays: list[Any]) -> Held:
        """Put what is shared where workers find it."""

    @abstractmethod
    def _options(self, n_jobs: int | None, job_bytes: int, memory: int | None) -> dict[str, Any]:
        """Of joblib's `Parallel`, the number of workers among them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close_pool()
        self._shared = None
        self._stack.close()

    def run(
        self,
        function: Callable[..., Any],
        jobs: Sequence[tuple[Any, ...]],
        shared: tuple[Any, ...],
        n_jobs: int | None,
        job_bytes: int,
        memory: int | None,
    ) -> Iterator[Any]:
        """Results in order."""
        if not jobs:
            return
        held = self._hold(shared)
        calls = [pickle.dumps((function, job)) for job in jobs]
        self.largest_task = max(self.largest_task, *map(len, calls))
        options = self._options(n_jobs, job_bytes, memory)
        if self._pool is None or self._pool[0] != str(options):
            self._close_pool()
            parallel = Parallel(**options, batch_size=1, return_as="generator")
            self._pool = str(options), parallel.__enter__()
        yield from self._pool[1](delayed(_call)(held, call) for call in calls)

    def _hold(self, shared: tuple[Any, ...]) -> Held:
        """Pickle what is shared, unless it is what was shared last."""
        if self._shared is not None:
            before, held = self._shared
            if len(before) == len(shared) and all(map(is_, before, shared)):
                return held
        self._shared = None  # lets go of what was kept of the last
        buffers: list[pickle.PickleBuffer] = []
        data = pickle.dumps(shared, protocol=5, buffer_callback=buffers.append)
        arrays = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
        self.shared_bytes.append(len(data) + sum(array.nbytes for array in arrays))
        held = self._keep(data, arrays)
        self._shared = shared, held
        return held

    def _close_pool(self) -> None:
        if self._pool is not None:
            (_, parallel), self._pool = self._pool, None
            parallel.__exit__(None, None, None)


class LokyProcesses(Processes):
    """Processes of this machine; what they share lies in a file that each maps."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="layerbank-shared-"))
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)

    def n_cores(self) -> int:
        return int(cpu_count())

    def lost_a_worker(self, error: Exception) -> bool:
        from joblib.externals.loky.process_executor import BrokenProcessPool

        return isinstance(error, BrokenProcessPool)

    def _keep(self, data: bytes, arrays: list[Any]) -> Held:
        for old in self._folder.iterdir():
            old.unlink()
        path = self._folder / f"{len(self.shared_bytes)}.joblib"
        joblib.dump((data, arrays), path)
        return Held(str(path), _Mapped(path))

    def _options(self, n_jobs: int | None, job_bytes: int, memory: int | None) -> dict[str, Any]:
        workers = as_fit(n_jobs or self.n_cores(), job_bytes, [memory])
        return {"backend": "loky", "n_jobs": workers}


@dataclass(frozen=True)
class _Mapped:
    path: Path

    def __call__(self) -> tuple[bytes, list[Any]]:
        data, arrays = joblib.load(self.path, mmap_mode="r")
        return data, arrays


#: In a worker: what it made of what its jobs share, by name; the last alone.
_made: dict[str, tuple[Any, ...]] = {}


def _call(held: Held, call: bytes) -> Any:
    """A job, in a worker."""
    function, job = pickle.loads(call)
    if held.name not in _made:
        _made.clear()
        data, arrays = held.fetch()
        try:
            _made[held.name] = pickle.loads(data, buffers=arrays)
        except BankError as error:
            raise BankError(
                f"a worker on {socket.gethostname()} cannot open a bank ({error}); on a cluster "
                "banks have to stand in a folder that all machines share"
            ) from None
    with threadpool_limits(limits=1):
        return function(*_made[held.name], *job)


#: How long a Ray cluster may take to answer, seconds.
ANSWER_SECONDS = 5.0


#: Bytes of a job for which Ray need reserve none.
_SMALL_JOB = 64 << 20


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
