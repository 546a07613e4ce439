"""What runs inside a Ray cluster: reading files, and encoding windows of their texts."""

from __future__ import annotations

import os
import pickle
import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from extract.checkpoint.checkpoint import Checkpoint
from extract.options import RunOptions
from extract.plan import Plan
from extract.texts.stream import (
    NewTexts,
    Picked,
    Shard,
    bank_of,
    beginning,
    count_new_windows,
    n_characters,
)
from features.errors import EncoderError, InputError, LayerbankError
from features.keys import Text, text_key
from features.tables.table import open_table, read_texts

if TYPE_CHECKING:
    import pyarrow as pa

    from extract.worker import Worker


#: Texts, and their characters, about, that are encoded and committed as one.
WINDOW, WINDOW_CHARACTERS = 4_096, 1 << 23


#: What an actor says of windows that it has done.
COUNTS = ("n_read", "n_new", "n_tokens", "n_truncated", "n_repeats")


#: Beside them, an error as bytes; empty for none.
ERROR = "error"


#: The column of a window's texts' numbers.
NUMBER = "number"


#: A window is begun so often at most.
TRIES = 5


@dataclass(frozen=True, slots=True)
class Source:
    """An input file, and what to read of it; as :func:`features.table.open_table` takes it."""

    path: Path
    format: str | None
    encoding: str
    columns: tuple[str, ...]
    skip_empty: bool

    def texts(self) -> Iterator[Text]:
        """The texts, streaming and verbatim; InputError as anywhere."""
        if not self.path.is_file():
            raise InputError(
                f"{self.path} is not on the node {platform.node()} of the cluster: put it in a "
                "folder that all nodes share"
            )
        table = open_table(self.path, format=self.format, encoding=self.encoding)
        return read_texts(table, self.columns, skip_empty=self.skip_empty)


def count(source: Source, plan: Plan, shard: Shard | None) -> tuple[int, int]:
    """Texts of a file, and about how many of them are the shard's and new; reads every row."""
    picked = Picked(source.texts(), shard)
    n_new = count_new_windows(plan, picked)
    return picked.n_seen, n_new


def windows(
    batch: dict[str, NDArray[np.int64]],
    sources: list[Source],
    n_before: list[int],
    shard: Shard | None,
    size: int,
) -> Iterator[pa.Table]:
    """A file as windows of its texts.

    Parameters
    ----------
    batch
        Which of the sources to read.
    sources, n_before
        All of them, and how many texts of the input stand before each.
    shard
        Whose texts to take; None for all.
    size
        Texts in a window.

    Yields
    ------
    Tables of one row: a list with the number of each text in the whole input, from 1, and a list
    of strings for each part of the texts.
    """
    import pyarrow as pa

    try:
        for source in batch["source"]:
            texts = Picked(sources[source].texts(), shard)
            while window := _take(texts, size):
                numbers, taken = zip(*window, strict=True)
                rows = [(text,) if isinstance(text, str) else text for text in taken]
                # Lists and strings with 64-bit offsets: a block may hold any number of windows.
                parts = {
                    f"part{i}": pa.array([list(part)], pa.large_list(pa.large_string()))
                    for i, part in enumerate(zip(*rows, strict=True))
                }
                counted = [n_before[source] + number for number in numbers]
                yield pa.table({NUMBER: pa.array([counted], pa.large_list(pa.int64())), **parts})
    except LayerbankError as error:
        yield pa.table({ERROR: [pickle.dumps(error)]})


def read_window(batch: pa.Table, row: int) -> tuple[NDArray[np.int64], list[Text]]:
    """A window's texts and their numbers; raises what went wrong when it was read."""
    if ERROR in batch.column_names:
        error: LayerbankError = pickle.loads(batch[ERROR][row].as_py())
        raise error
    numbers, *parts = (column[row].as_py() for column in batch.columns)
    texts = parts[0] if len(parts) == 1 else list(zip(*parts, strict=True))
    return np.array(numbers, np.int64), texts


def _take(texts: Picked, size: int) -> list[tuple[int, Text]]:
    """The next texts, each with its number in the file."""
    window: list[tuple[int, Text]] = []
    size_so_far = 0
    for text in islice(texts, size):
        window.append((texts.n_seen, text))
        size_so_far += n_characters(text)
        if size_so_far >= WINDOW_CHARACTERS:
            break
    return window


class Attempts:
    """An actor beside the pool: how often each window in work has been begun.

    Ray begins a window again for as long as its actor dies, and one that itself kills whoever
    encodes it (by its memory, say) would never end.
    """

    def __init__(self) -> None:
        self._begun: dict[bytes, int] = {}

    def begin(self, window: bytes) -> int:
        """Which attempt at a window this is, from 1."""
        self._begun[window] = self._begun.get(window, 0) + 1
        return self._begun[window]

    def end(self, window: bytes) -> None:
        """The window is committed, and need not be remembered."""
        self._begun.pop(window, None)


class EncodeWindows:
    """An actor of the pool: one encoder, which adds what it encodes to the bank.

    A window is committed before it counts as done. So one that is tried again, because its actor
    was killed, finds in the bank what was committed of it before.

    Parameters
    ----------
    plan, options
        As of one process.
    attempts
        Handle of an :class:`Attempts`.
    token
        Name of a file that stands in the bank's folder while the run lasts.
    """

    def __init__(self, plan: Plan, options: RunOptions, attempts: Any, token: str) -> None:
        self._plan, self._options, self._token = plan, options, token
        self._attempts = attempts
        self._worker: Worker | None = None

    def __call__(self, batch: pa.Table) -> dict[str, NDArray[Any]]:
        """Encode windows, one a row; counts of what was done, and what went wrong, if anything."""
        done = np.zeros(len(COUNTS), np.int64)
        problem = b""
        try:
            for row in range(len(batch)):
                done += self._encode(*read_window(batch, row))
        except LayerbankError as error:
            # Ray would wrap it, and what it wraps does not travel.
            problem = pickle.dumps(error)
        counts = {name: np.array([n]) for name, n in zip(COUNTS, done, strict=True)}
        return {**counts, ERROR: np.array([problem], object)}

    def _encode(
        self, numbers: NDArray[np.int64], texts: list[Text]
    ) -> tuple[int, int, int, int, int]:
        import ray

        name = text_key(texts[0])
        attempt = ray.get(self._attempts.begin.remote(name))
        if attempt > TRIES:
            raise EncoderError(
                f"a window of {len(texts)} texts, which begins with {beginning(texts[0])}, ended "
                f"the process of its encoder {TRIES} times: give a smaller --batch-tokens, or more "
                "memory; everything committed is safe"
            )
        done = self._encode_new(numbers, texts)
        ray.get(self._attempts.end.remote(name))
        return *done, attempt - 1

    def _encode_new(
        self, numbers: NDArray[np.int64], texts: list[Text]
    ) -> tuple[int, int, int, int]:
        if self._worker is None:
            self._see_folder()
            bank = bank_of(self._plan)
        else:
            bank = self._worker.bank
            bank.refresh()
        new = NewTexts(texts, bank, WINDOW)
        found = [window._replace(numbers=numbers[window.numbers - 1]) for window in new]
        if not found:
            return new.n_read, 0, 0, 0
        if self._worker is None:
            from extract.worker import Worker

            self._worker = Worker(_found_here(self._plan), self._options)
        counts = self._worker.run(found, _Unwatched())
        return new.n_read, new.n_new, counts.n_tokens, counts.n_truncated

    def _see_folder(self) -> None:
        """InputError unless the bank's folder is the one that everybody sees."""
        folder = self._plan.path
        if not folder.is_dir() or self._token not in os.listdir(folder):
            raise InputError(
                f"the node {platform.node()} of the cluster sees another {folder}: put the "
                "bank in a folder that all nodes share"
            )


class _Unwatched:
    """Progress is reported by the window."""

    def expect(self, n_texts: int, n_tokens: int) -> None:
        """Nobody asks."""

    def advance(self, n_texts: int, n_tokens: int) -> None:
        """Nobody asks."""


def _found_here(plan: Plan) -> Plan:
    """The plan with the encoder's files as this node has them, in a hub cache of its own perhaps.

    Raises
    ------
    EncoderError
        When they are not here, or are others.
    """
    if plan.checkpoint.folder.is_dir():
        return plan
    source = plan.checkpoint.source
    try:
        here = Checkpoint.find(source["encoder"], source["revision"], source.get("weights"))
    except EncoderError as error:
        raise EncoderError(
            f"{error} (on the node {platform.node()} of the cluster): put the encoder in a "
            "folder that all nodes share"
        ) from error
    if {**plan.setup, **here.identity()} != plan.setup:
        raise EncoderError(
            f"{here.folder} on the node {platform.node()} of the cluster holds another "
            "encoder: put the encoder in a folder that all nodes share"
        )
    return replace(plan, checkpoint=here)
