"""``--ray``: the files as Ray Data, the encoder as a pool of actors, one bank for all of them.

The driver keeps nothing of the corpus: files are read by tasks, stretches of texts travel from
those to the actors through Ray's object store, and what comes back is counts. Ray Data reads no
faster than the actors encode (its back-pressure), starts a killed actor again, and hands its
stretch out again.
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
from extract.scale.ray_actors import COUNTS, Attempts, EncodeStretches
from extract.scale.ray_cluster import (
    RayOptions,
    connected,
    find_room,
    settings,
    told_in_one_sentence,
)
from extract.scale.ray_input import ERROR, STRETCH, Source, count, read_stretches, sources_of
from extract.texts.input import Shard
from extract.texts.stream import bank_at, stretch_size
from features.disk.atomic import locked_temporary
from features.disk.system import disk_errors
from features.errors import InputError
from features.paths import as_path

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
    delimiter: str | None = None,
    quoting: str | None = None,
    no_header: bool = False,
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
        Files as :func:`~features.tables.table.open_table` takes them, in a folder that all nodes
        share.
    bank
        The bank's folder, shared by all nodes as well.
    text
        Columns that hold the texts; those of several are encoded together. Default: ``text``.
    format, encoding, delimiter, quoting, no_header, skip_empty
        As of :func:`~features.tables.table.open_table` and
        :func:`~features.tables.table.read_texts`.
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
        ``encoder_weights``, ``poolings``, ``max_length``, ``precision``, ``long``, ``stride``,
        ``special_tokens``.

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
    sources = sources_of(
        inputs, text, skip_empty=skip_empty, format=format, encoding=encoding,
        delimiter=delimiter, quoting=quoting, no_header=no_header,
    )  # fmt: skip
    return run_on_ray(prepare(as_path(bank), Options(**options)), sources, running, on_ray)


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
        n_texts_each, n_new = _count(plan, sources, options)
        n_texts = sum(n_texts_each)
        if plan.bank is None and not n_texts:
            raise InputError("there are no texts: give at least one")
        total = dict.fromkeys(COUNTS, 0)
        if n_new:
            try:
                options = replace(options, total=n_new)
                total = _encode(plan, sources, n_texts_each, options, ray_options)
            except KeyboardInterrupt:
                bank = bank_at(plan.path)
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
        n_literal=total["n_literal"],
        seconds=time.perf_counter() - plan.began,
        bank_bytes=folder_bytes(plan.path),
    )


def _count(plan: Plan, sources: Sequence[Source], options: RunOptions) -> tuple[list[int], int]:
    """Texts of each source, and about how many of all are new.

    Every row is read before any text is encoded.
    """
    import ray

    counting = ray.remote(count)
    bank = ray.put(plan.bank)
    left = iter(enumerate(sources))
    running: dict[Any, int] = {}
    n_texts, n_new = [0] * len(sources), 0

    def start(most: int) -> None:
        for i, source in islice(left, most):
            running[counting.remote(source, bank, options.shard)] = i

    start(COUNTING)
    while running:
        (done,), _ = ray.wait([*running])
        n_texts[running.pop(done)], n_new_here = ray.get(done)
        n_new += n_new_here
        start(1)
    return n_texts, n_new


def _encode(
    plan: Plan,
    sources: Sequence[Source],
    n_texts: Sequence[int],
    options: RunOptions,
    ray_options: RayOptions,
) -> dict[str, int]:
    """Encode all, ``n_texts`` of each source; what was done, by the names in ``COUNTS``."""
    import ray

    resources, slots = find_room(options, ray_options)
    fewest, most = ray_options.actors or (1, slots)
    options = replace(options, device="cuda" if "num_gpus" in resources else "cpu")
    quiet = replace(options, progress=False, shard=None, total=None)
    size = min(STRETCH, stretch_size(options.total, most))
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
                    read_stretches,
                    fn_args=(list(sources), n_before, options.shard, size),
                    batch_size=1,
                    # Actors may take every CPU; reading must go on then.
                    num_cpus=0,
                    concurrency=min(READING, len(sources)),
                )
                .map_batches(
                    EncodeStretches,
                    fn_constructor_args=(plan, quiet, attempts.remote(), token.name),
                    batch_size=1,
                    batch_format="pyarrow",
                    concurrency=(fewest, most),
                    **resources,
                )
            )
            for counts in done.iter_batches(batch_size=None, prefetch_batches=0):
                for problem in filter(None, counts[ERROR]):
                    raise pickle.loads(problem)  # of our own actors
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
