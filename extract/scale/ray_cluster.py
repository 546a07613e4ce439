"""Which Ray cluster, how many encoders it has room for, and how it is spoken to."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from extract.options import RunOptions
from features.errors import EncoderError, InputError, LayerbankError


@dataclass(frozen=True, slots=True)
class RayOptions:
    """Which Ray, and how many encoders on it.

    Parameters
    ----------
    address
        ``local`` starts a Ray on this machine; ``auto``, or ``host:port``, is a running cluster.
    actors
        Encoders, at least and at most; None for as many as there is room for.
    cpus
        CPUs of each; None for 1 beside a GPU, and a whole node's otherwise.
    """

    address: str = "local"
    actors: tuple[int, int] | None = None
    cpus: int | None = None

    @classmethod
    def parse(cls, address: str, actors: str | None = None, cpus: int | None = None) -> RayOptions:
        """From what the command line has; ``actors`` as ``MIN[:MAX]``.

        >>> RayOptions.parse("auto", "2:8").actors, RayOptions.parse("auto", "4").actors
        ((2, 8), (4, 4))

        Raises
        ------
        InputError
            For a value that can never be right.
        """
        if address.startswith("ray://"):
            raise InputError(
                f"{address} is the address of a Ray client, which cannot hold a run: run the "
                "command on a node of the cluster, with --ray auto"
            )
        if cpus is not None and cpus < 1:
            raise InputError(f"an encoder on {cpus} CPUs cannot run: give --ray-cpus 1 or more")
        if actors is None:
            return cls(address, None, cpus)
        match = re.fullmatch(r"(\d+)(?::(\d+))?", actors, re.ASCII)
        fewest, most = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= fewest <= most:
            raise InputError(
                f"{actors!r} is no number of encoders: give --ray-actors MIN:MAX, such as 1:8, or "
                "one number above 0"
            )
        return cls(address, (fewest, most), cpus)

    def check(self, options: RunOptions) -> None:
        """InputError for what cannot be had together with Ray."""
        if options.devices:
            raise InputError(
                "--devices starts processes on this machine, and --ray on a cluster: give one of "
                "them"
            )
        if options.device not in ("auto", "cpu", "cuda"):
            raise InputError(
                f"Ray chooses among its GPUs itself: give --device cuda, cpu or auto with --ray, "
                f"not {options.device}"
            )


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A Ray to work on: the one this process is connected to already, or that at an address."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(
            f"Ray is not installed ({error}): pip install 'layerbank[ray]', or leave out --ray"
        ) from None
    if ray.is_initialized():
        yield
        return
    started_here: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    # Ray's core writes to stderr itself, and of things that are in order.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        _refuse_silence(address)
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **started_here)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"no Ray answers at {address!r} ({' '.join(str(error).split())[:200]}): start one with "
            "`ray start --head` and give its HOST:PORT, or --ray alone to start one here"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _refuse_silence(address: str) -> None:
    """OSError when nobody listens at ``host:port``: Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def find_room(options: RunOptions, ray_options: RayOptions) -> tuple[dict[str, Any], int]:
    """What each encoder takes, and how many have room at the moment.

    Raises
    ------
    InputError
        When a GPU is asked for and there is none.
    """
    import ray

    untyped: Any = ray
    nodes = [node["Resources"] for node in untyped.nodes() if node["Alive"]]
    n_gpus = int(sum(node.get("GPU", 0) for node in nodes))
    if options.device == "cuda" and not n_gpus:
        raise InputError("the Ray cluster has no GPU: leave out --device, or add a node with one")
    if n_gpus and options.device != "cpu":
        return {"num_gpus": 1, "num_cpus": ray_options.cpus or 1}, n_gpus
    cpus = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    each = ray_options.cpus or min(cpus, default=1)
    if not any(n >= each for n in cpus):
        raise InputError(
            f"no node of the Ray cluster has {each} CPUs (they have "
            f"{', '.join(map(str, cpus)) or 'none'}): give a smaller --ray-cpus"
        )
    return {"num_cpus": each}, sum(n // each for n in cpus)


@contextmanager
def told_in_one_sentence() -> Iterator[None]:
    """An error from inside the cluster as what it was there."""
    import ray

    try:
        yield
    except ray.exceptions.RayError as error:
        known = _cause(error)
        if known is not None:
            raise known from error
        raise EncoderError(
            f"Ray gave up ({type(error).__name__}: {' '.join(str(error).split())[:200]}): what is "
            "committed is safe, and the same call goes on from there"
        ) from error


def _cause(error: BaseException | None) -> LayerbankError | None:
    """The error of ours at the bottom of a chain of Ray's; None when there is none."""
    import ray

    while error is not None:
        inner = error.cause if isinstance(error, ray.exceptions.RayTaskError) else None
        if inner is None and isinstance(error, LayerbankError):
            return error
        error = inner or error.__cause__
    return None


@contextmanager
def settings() -> Iterator[None]:
    """Ray Data's settings for data sets made within; as before afterwards."""
    import ray

    context: Any = ray.data.DataContext.get_current()
    ours = {
        "enable_progress_bars": False,
        "print_on_execution_start": False,
        # Each stretch is a block, and so a task, of its own: what is handed out, and tried again.
        "target_max_block_size": 1,
    }
    before = {name: getattr(context, name) for name in ours if hasattr(context, name)}
    loud = logging.getLogger("ray.data")
    level = loud.level
    loud.setLevel(logging.CRITICAL)
    try:
        for name in before:
            setattr(context, name, ours[name])
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
        loud.setLevel(level)
