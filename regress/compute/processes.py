"""Processes that work on independent jobs, and get what all jobs share once.

What is shared, the features above all, is pickled a single time, its arrays apart, and kept in a
file or in an object store; every worker holds on to what it made of it. A task is then a few
hundred bytes.
"""

from __future__ import annotations

import pickle
import shutil
import socket
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from operator import is_
from pathlib import Path
from typing import Any, NamedTuple, Self

import joblib
import numpy as np
from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from features.errors import BankError
from regress.compute.memory import as_fit

#: In a worker: what it made of what its jobs share, by name; the last alone.
_made: dict[str, tuple[Any, ...]] = {}


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
