"""Actors of a Ray cluster that work on independent jobs."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from features.errors import InputError
from regress.compute.memory import as_fit
from regress.compute.processes import Held, Processes

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
            as_fit(int(machine["CPU"]), job_bytes, [memory, int(machine.get("memory", 0))])
            for machine in machines
        )
        # In powers of two, so that stages which need about as much keep the same workers.
        reserved = 0 if job_bytes < _SMALL_JOB else 1 << (job_bytes - 1).bit_length()
        reserved = min([reserved, *(int(machine.get("memory", 0)) for machine in machines)])
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
