"""A connection to Ray, its errors as ours, and Ray Data set up for what is done here."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from features.errors import EncoderError, InputError, LayerbankError


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
        # Each window is a block, and so a task, of its own: what is handed out, and tried again.
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
