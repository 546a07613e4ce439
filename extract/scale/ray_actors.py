"""The encoders of a run on Ray: actors, which add stretches of texts to the bank."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from extract.checkpoint.checkpoint import Checkpoint
from extract.options import RunOptions
from extract.plan import Plan
from extract.scale.ray_input import ERROR, STRETCH, read_stretch, this_node
from extract.texts.input import beginning
from extract.texts.stream import NewTexts, bank_at
from features.errors import EncoderError, InputError, LayerbankError
from features.keys import Text, text_key

if TYPE_CHECKING:
    import pyarrow as pa

    from extract.worker import Worker

#: What an actor says of stretches that it has done.
COUNTS = ("n_read", "n_new", "n_tokens", "n_truncated", "n_literal", "n_repeats")

#: A stretch is begun so often at most.
TRIES = 5


class Attempts:
    """An actor beside the pool: how often each stretch in work has been begun.

    Ray begins a stretch again for as long as its actor dies, and one that itself kills whoever
    encodes it (by its memory, say) would never end.
    """

    def __init__(self) -> None:
        self._begun: dict[bytes, int] = {}

    def begin(self, stretch: bytes) -> int:
        """Which attempt at a stretch this is, from 1."""
        self._begun[stretch] = self._begun.get(stretch, 0) + 1
        return self._begun[stretch]

    def end(self, stretch: bytes) -> None:
        """The stretch is committed, and need not be remembered."""
        self._begun.pop(stretch, None)


class EncodeStretches:
    """An actor of the pool: one encoder, which adds what it encodes to the bank.

    A stretch is committed before it counts as done. So one that is tried again, because its actor
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
        """Encode stretches, one a row; counts of what was done, and an error, if there was one."""
        done = np.zeros(len(COUNTS), np.int64)
        problem = b""
        try:
            for row in range(len(batch)):
                done += self._encode(*read_stretch(batch, row))
        except LayerbankError as error:
            # Ray would wrap it, and what it wraps does not travel.
            problem = pickle.dumps(error)
        counts = {name: np.array([n]) for name, n in zip(COUNTS, done, strict=True)}
        return {**counts, ERROR: np.array([problem], object)}

    def _encode(self, numbers: NDArray[np.int64], texts: list[Text]) -> tuple[int, ...]:
        import ray

        name = text_key(texts[0])
        attempt = ray.get(self._attempts.begin.remote(name))
        if attempt > TRIES:
            raise EncoderError(
                f"a stretch of {len(texts)} texts, which begins with {beginning(texts[0])}, ended "
                f"the process of its encoder {TRIES} times: give a smaller --batch-tokens, or more "
                "memory; everything committed is safe"
            )
        done = self._encode_new(numbers, texts)
        ray.get(self._attempts.end.remote(name))
        return *done, attempt - 1

    def _encode_new(self, numbers: NDArray[np.int64], texts: list[Text]) -> tuple[int, ...]:
        if self._worker is None:
            self._see_folder()
            bank = bank_at(self._plan.path)
        else:
            bank = self._worker.bank
            bank.refresh()
        new = NewTexts(texts, bank, STRETCH)
        found = [stretch._replace(numbers=numbers[stretch.numbers - 1]) for stretch in new]
        if not found:
            return new.n_read, 0, 0, 0, 0
        if self._worker is None:
            from extract.worker import Worker

            self._worker = Worker(_found_here(self._plan), self._options)
        counts = self._worker.run(found, _Unwatched())
        return new.n_read, new.n_new, *counts

    def _see_folder(self) -> None:
        """InputError unless the bank's folder is the one that everybody sees."""
        folder = self._plan.path
        if not folder.is_dir() or self._token not in os.listdir(folder):
            raise InputError(
                f"{this_node()} sees another {folder}: put the bank in a folder that all nodes "
                "share"
            )


class _Unwatched:
    """Progress is reported by the stretch."""

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
            f"{error} (on {this_node()}): put the encoder in a folder that all nodes share"
        ) from error
    if {**plan.setup, **here.identity()} != plan.setup:
        raise EncoderError(
            f"{here.folder} on {this_node()} holds another encoder: put the encoder in a folder "
            "that all nodes share"
        )
    return replace(plan, checkpoint=here)
