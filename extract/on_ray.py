"""``--ray``: the files as Ray Data, the encoder as a pool of actors, one bank for all of them.

The driver keeps nothing of the corpus: files are read by tasks, windows of texts travel from
those to the actors through Ray's object store, and what comes back is counts. Ray Data reads no
faster than the actors encode (its back-pressure), starts a killed actor again, and hands its
window out again.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from extract.new_windows import bank_of, window_size
from extract.options import RunOptions
from extract.plan import Plan, refuse_occupied
from extract.progress import Progress
from extract.ray_options import RayOptions
from extract.ray_tasks import COUNTS, WINDOW, Attempts, EncodeWindows, Source, count, windows
from extract.report import ExtractReport, folder_bytes
from features.commit import disk_errors, locked_temporary
from features.errors import EncoderError, InputError, LayerbankError

log = logging.getLogger(__name__)

#: Files that are counted at the same time, and read at the same time.
COUNTING, READING = 64, 8


def run_on_ray(
    plan: Plan, sources: Sequence[Source], options: RunOptions, ray_options: RayOptions
) -> ExtractReport:
    """Encode files on a Ray cluster.

    Parameters
    ----------
    plan
        What is to be extracted; bank and encoder in folders that all nodes share.
    sources
        The input files, by absolute paths that all nodes share.
    options
        Of each encoder; its device is a GPU where the cluster has any, unless it says otherwise.
    ray_options
        Which cluster, and how many encoders.

    Raises
    ------
    InputError
        When Ray is not installed or not to be reached, or a node does not see the files.
    LayerbankError
        As :func:`extract.extract`.
    """
    plan = replace(plan, path=plan.path.absolute())
    n_before = plan.bank.n_texts if plan.bank is not None else 0
    with connected(ray_options.address), _told_in_one_sentence():
        n_texts, n_new = _count(plan, sources, options)
        if plan.bank is None and not n_texts:
            raise InputError("there are no texts: give at least one")
        total = dict.fromkeys(COUNTS, 0)
        if n_new:
            try:
                total = _encode(plan, sources, replace(options, total=n_new), ray_options)
            except KeyboardInterrupt:
                bank = bank_of(plan)
                log.warning(
                    "stopped: %s new texts are safe in %s, and the same call goes on from there",
                    f"{bank.n_texts - n_before if bank is not None else 0:,}",
                    plan.path,
                )
                raise
    return ExtractReport(
        bank=plan.path,
        n_new=total["n_new"],
        n_reused=(total["n_read"] or n_texts) - total["n_new"],
        n_truncated=total["n_truncated"],
        n_tokens=total["n_tokens"],
        seconds=time.perf_counter() - plan.began,
        bank_bytes=folder_bytes(plan.path),
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
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **started_here)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"no Ray answers at {address!r} ({' '.join(str(error).split())[:200]}): start one with "
            "`ray start --head` and give its HOST:PORT, or --ray alone to start one here"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _told_in_one_sentence() -> Iterator[None]:
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


def _count(plan: Plan, sources: Sequence[Source], options: RunOptions) -> tuple[int, int]:
    """Texts, and about how many are new; every row is read before any text is encoded."""
    import ray

    counting = ray.remote(count)
    shared = ray.put(plan)
    left = iter(sources)
    running = [counting.remote(one, shared, options.shard) for one in islice(left, COUNTING)]
    n_texts = n_new = 0
    while running:
        (done,), running = ray.wait(running)
        found = ray.get(done)
        n_texts, n_new = n_texts + found[0], n_new + found[1]
        running += [counting.remote(one, shared, options.shard) for one in islice(left, 1)]
    return n_texts, n_new


def _encode(
    plan: Plan, sources: Sequence[Source], options: RunOptions, ray_options: RayOptions
) -> dict[str, int]:
    """All of it; what was done, by the names in ``COUNTS``."""
    import ray

    resources, slots = _room(options, ray_options)
    fewest, most = ray_options.actors or (1, slots)
    options = replace(options, device="cuda" if "num_gpus" in resources else "cpu")
    size = min(WINDOW, window_size(options.total, most))
    if plan.bank is None:
        refuse_occupied(plan.path)
        with disk_errors(plan.path):
            plan.path.mkdir(parents=True, exist_ok=True)
    total = dict.fromkeys(COUNTS, 0)
    data: Any = ray.data  # its types refuse generators of tables
    attempts = ray.remote(Attempts).options(num_cpus=0, max_restarts=-1, max_task_retries=-1)
    try:
        with (
            locked_temporary(plan.path) as (_, token),
            _settings(),
            Progress(options.total, shown=options.progress) as bar,
        ):
            done = (
                data.from_items(
                    [{"source": number} for number in range(len(sources))],
                    override_num_blocks=len(sources),
                )
                .map_batches(
                    windows,
                    fn_args=(list(sources), options.shard, size),
                    batch_size=1,
                    # Actors may take every CPU; reading must go on then.
                    num_cpus=0,
                    concurrency=min(READING, len(sources)),
                )
                .map_batches(
                    EncodeWindows,
                    fn_constructor_args=(plan, _quiet(options), attempts.remote(), token.name),
                    batch_size=1,
                    batch_format="pyarrow",
                    concurrency=(fewest, most),
                    **resources,
                )
            )
            for counts in done.iter_batches(batch_size=None, prefetch_batches=0):
                sums = {name: int(np.sum(counts[name])) for name in COUNTS}
                if sums["n_repeats"]:
                    log.warning(
                        "an encoder's process died on the cluster and was started again: what it "
                        "had not committed is done again"
                    )
                if sums["n_new"]:
                    bar.expect(sums["n_new"], sums["n_tokens"])
                    bar.advance(sums["n_new"], sums["n_tokens"])
                total = {name: total[name] + n for name, n in sums.items()}
    finally:
        with suppress(OSError):  # nothing came into it
            Path.rmdir(plan.path)
    return total


def _room(options: RunOptions, ray_options: RayOptions) -> tuple[dict[str, Any], int]:
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


def _quiet(options: RunOptions) -> RunOptions:
    return replace(options, progress=False, shard=None, total=None)


@contextmanager
def _settings() -> Iterator[None]:
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
