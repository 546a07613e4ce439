"""``--ray``: the files as Ray Data, the encoder as a pool of actors, one bank for all of them.

The driver keeps nothing of the corpus: files are read by tasks, windows of texts travel from
those to the actors through Ray's object store, and what comes back is counts. Ray Data reads no
faster than the actors encode (its back-pressure), starts a killed actor again, and hands its
window out again.
"""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import numpy as np

from extract.options import Options, RunOptions
from extract.plan import Plan, prepare, refuse_occupied
from extract.progress import Progress
from extract.report import ExtractReport, folder_bytes
from extract.scale.ray_cluster import RayOptions, connected, settings, told_in_one_sentence
from extract.scale.ray_tasks import (
    COUNTS,
    ERROR,
    WINDOW,
    Attempts,
    EncodeWindows,
    Source,
    count,
    windows,
)
from extract.texts.stream import Shard, bank_of, window_size
from features.disk.atomic import locked_temporary
from features.disk.system import disk_errors
from features.errors import InputError
from features.tables.table import open_table

log = logging.getLogger(__name__)


#: Files that are counted at the same time, and read at the same time.
COUNTING, READING = 64, 8


def extract_on_ray(
    inputs: Sequence[str | Path],
    bank: str | Path,
    *,
    text: Sequence[str] | None = None,
    format: str | None = None,
    encoding: str = "utf-8",
    skip_empty: bool = False,
    address: str = "local",
    actors: str | None = None,
    cpus: int | None = None,
    shard: str | None = None,
    device: str = "auto",
    engine: str = "auto",
    batch_tokens: int | None = None,
    progress: bool = False,
    **options: Any,
) -> ExtractReport:
    """As :func:`extract.extract`, of files and on a Ray cluster.

    Parameters
    ----------
    inputs
        CSV, TSV, JSONL, Parquet or text files in a folder that all nodes share.
    bank
        The bank's folder, shared by all nodes as well.
    text
        Columns that hold the texts; two are encoded as pairs. Default: ``text``.
    format, encoding, skip_empty
        As of :func:`features.table.open_table` and :func:`features.table.read_texts`.
    address
        ``local`` starts a Ray here; ``auto``, or ``host:port``, is a running cluster. A Ray that
        this process is connected to already is used whatever the address.
    actors
        Encoders, ``"MIN:MAX"`` or one number. Default: from 1 to what there is room for.
    cpus
        CPUs of each. Default: 1 beside a GPU, else a whole node's.
    device
        ``auto`` (a GPU each where the cluster has any), ``cuda`` or ``cpu``.
    shard, engine, batch_tokens, progress
        As of :func:`extract.extract`.
    **options
        What decides the numbers, as of :func:`extract.extract`: ``encoder``, ``revision``,
        ``encoder_weights``, ``poolings``, ``max_length``, ``precision``, ``long``, ``stride``.

    Raises
    ------
    InputError
        When Ray is not installed or not to be reached, or a node does not see the files.
    LayerbankError
        As :func:`extract.extract`.
    """
    running = RunOptions(
        device, engine, batch_tokens, progress=progress,
        shard=None if shard is None else Shard.parse(shard),
    )  # fmt: skip
    running.check()
    on_ray = RayOptions.parse(address, actors, cpus)
    on_ray.check(running)
    sources = sources_of(inputs, text, format=format, encoding=encoding, skip_empty=skip_empty)
    return run_on_ray(prepare(Path(bank), Options(**options)), sources, running, on_ray)


def sources_of(
    inputs: Sequence[str | Path],
    text: Sequence[str] | None = None,
    *,
    format: str | None = None,
    encoding: str = "utf-8",
    skip_empty: bool = False,
) -> list[Source]:
    """Files to read, seen to be there and to have the columns."""
    sources = []
    for path in inputs:
        columns = open_table(path, format=format, encoding=encoding).text_columns(text)
        path = Path(path).absolute()
        sources.append(Source(path, format, encoding, tuple(columns), skip_empty))
    return sources


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
    with connected(ray_options.address), told_in_one_sentence():
        of_source, n_new = _count(plan, sources, options)
        n_texts = sum(of_source)
        if plan.bank is None and not n_texts:
            raise InputError("there are no texts: give at least one")
        total = dict.fromkeys(COUNTS, 0)
        if n_new:
            try:
                options = replace(options, total=n_new)
                total = _encode(plan, sources, of_source, options, ray_options)
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


def _count(plan: Plan, sources: Sequence[Source], options: RunOptions) -> tuple[list[int], int]:
    """Texts of each source, and about how many of all are new.

    Every row is read before any text is encoded.
    """
    import ray

    counting = ray.remote(count)
    shared = ray.put(plan)
    left = iter(enumerate(sources))
    running: dict[Any, int] = {}
    n_texts, n_new = [0] * len(sources), 0

    def start(most: int) -> None:
        for i, one in islice(left, most):
            running[counting.remote(one, shared, options.shard)] = i

    start(COUNTING)
    while running:
        (done,), _ = ray.wait([*running])
        n_texts[running.pop(done)], new = ray.get(done)
        n_new += new
        start(1)
    return n_texts, n_new


def _encode(
    plan: Plan,
    sources: Sequence[Source],
    n_texts: Sequence[int],
    options: RunOptions,
    ray_options: RayOptions,
) -> dict[str, int]:
    """All of it, `n_texts` of each source; what was done, by the names in ``COUNTS``."""
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
    n_before = [0, *accumulate(n_texts)][:-1]
    data: Any = ray.data  # its types refuse generators of tables
    attempts = ray.remote(Attempts).options(num_cpus=0, max_restarts=-1, max_task_retries=-1)
    try:
        with (
            locked_temporary(plan.path) as (_, token),
            settings(),
            Progress(options.total, shown=options.progress) as bar,
        ):
            done = (
                data.from_items(
                    [{"source": number} for number in range(len(sources))],
                    override_num_blocks=len(sources),
                )
                .map_batches(
                    windows,
                    fn_args=(list(sources), n_before, options.shard, size),
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
                for problem in filter(None, counts[ERROR]):
                    raise pickle.loads(problem)
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
