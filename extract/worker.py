"""An encoder on its device, and the bank it fills: the one place where texts become rows."""

from __future__ import annotations

import ctypes
import logging
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from extract.background import BackgroundWriter, one_ahead
from extract.encode import Budget, encode
from extract.engines.encoder import Encoder, EngineOptions
from extract.engines.load import load_encoder
from extract.engines.pooling import marks_special
from extract.options import RunOptions
from extract.plan import Plan
from extract.texts.members import NORMALISER, OWN, cls_place_of
from extract.texts.probe import refuse_other_tokens
from extract.texts.stream import Stretch
from extract.texts.windows import Windows
from features.disk.segment import TOKENS
from features.disk.system import is_writable, refuse_writing_banks
from features.errors import EncoderError, InputError

if TYPE_CHECKING:
    from extract.texts.tokenizer import Tokenizer

log = logging.getLogger(__name__)

#: Data in a full segment. A slow encoder of base size fills little more than the smaller one in the
#: minute after which a segment is committed, and the larger one would only take memory.
SEGMENT_BYTES, SLOW_SEGMENT_BYTES = 256 << 20, 64 << 20

#: Between two times that memory is given back, seconds: it takes some milliseconds each time.
TRIM_SECONDS = 20.0


class Meter(Protocol):
    """Whoever wants to know how far it is; :class:`extract.progress.Progress` shows it."""

    def expect(self, n_texts: int, n_tokens: int) -> None:
        """A stretch of texts was tokenised."""
        ...

    def advance(self, n_texts: int, n_tokens: int) -> None:
        """A batch was encoded."""
        ...


class Counts(NamedTuple):
    """What became of texts that went through the encoder."""

    n_tokens: int
    n_truncated: int
    n_literal: int
    """Those in which one of the encoder's own special tokens stands, whatever it counts as."""


class Worker:
    """Loads the encoder, and then encodes stretches of texts into the bank, any number of times.

    Parameters
    ----------
    plan, options
        What to load, and how to run it. The bank is made where there is none.

    Attributes
    ----------
    bank
        The bank as it was when the worker was made.
    n_committed
        Rows that are safe on disk.

    Raises
    ------
    InputError, EncoderError, FingerprintMismatch
        As :func:`extract.extract`.
    """

    def __init__(self, plan: Plan, options: RunOptions) -> None:
        refuse_writing_banks(plan.path)  # before hours of work
        if not is_writable(plan.path):
            raise InputError(
                f"{plan.path} cannot be written to: make it writable, or give another --bank"
            )
        self._tokenizer = tokenizer_of(plan)
        self._encoder, setup = load(plan, options)
        self.bank = plan.complete(setup)
        self._provenance = {**self._encoder.provenance, TOKENS: self._tokenizer.digest()}
        refuse_other_tokens(self.bank, self._provenance[TOKENS], self._provenance)
        self._windows = Windows.planned(setup)
        # A fast device fills several batches while a segment is committed.
        self._waiting = max(1, 4 * self._encoder.ahead)
        self._budget = Budget(options.batch_tokens or self._encoder.batch_tokens)
        self._heap = Heap()  # here, since a run may be as short as one stretch
        self.n_committed = 0

    def run(
        self,
        stretches: Iterable[Stretch],
        meter: Meter,
        finished: Callable[[Stretch, Counts], None] | None = None,
    ) -> Counts:
        """Encode stretches of the input; all is committed on leaving, whatever the reason.

        Parameters
        ----------
        stretches
            Texts that the bank lacks. One stretch is read ahead of the one that is encoded.
        meter
            Told of each stretch and batch.
        finished
            Called in another thread with each stretch once all of it is committed. Without it,
            segments run on from one stretch into the next.

        Raises
        ------
        EncoderError, CommitError
            As :func:`extract.extract`.
        """
        began = datetime.now(UTC).isoformat(timespec="seconds")
        provenance = {**self._provenance, "began": began}
        n_writers = self._encoder.n_writers
        size = SEGMENT_BYTES if n_writers > 1 else SLOW_SEGMENT_BYTES
        new_writer = partial(self.bank.writer, provenance, segment_bytes=size)
        writer = BackgroundWriter(new_writer, self._waiting, n_writers)
        encoder, budget, windows = self._encoder, self._budget, self._windows
        tokenizer = self._tokenizer
        tokenised = one_ahead(lambda stretch: tokenizer.each(stretch.texts), stretches)
        done = Counts(0, 0, 0)
        before = self.n_committed
        try:
            with writer, closing(tokenised):
                for stretch, tokens in tokenised:
                    lengths = np.array([len(text.ids) for text in tokens], np.int32)
                    truncated = np.array([text.truncated for text in tokens])
                    n_literal = sum(text.literal for text in tokens)
                    counts = Counts(int(lengths.sum()), int(truncated.sum()), n_literal)
                    meter.expect(len(lengths), counts.n_tokens)
                    for rows, values in encode(
                        encoder, stretch, tokens, tokenizer.pad_id, budget, windows
                    ):
                        writer.add(stretch.keys[rows], lengths[rows], truncated[rows], values)
                        meter.advance(len(rows), int(lengths[rows].sum()))
                        self._heap.trim()
                    if finished is not None:
                        writer.flush(partial(finished, stretch, counts))
                    done = Counts(*map(sum, zip(done, counts, strict=True)))
        finally:
            self.n_committed = before + writer.n_committed
        return done


def tokenizer_of(plan: Plan) -> Tokenizer:
    """The tokenizer, set up as planned."""
    from extract.checkpoint.architecture import note_own_code
    from extract.texts.tokenizer import Tokenizer

    setup = plan.setup
    marked = marks_special(setup["poolings"])
    tokenizer = Tokenizer.load(
        plan.checkpoint,
        setup["max_length"],
        policy=setup["special_tokens"],
        follow=setup.get(NORMALISER) == OWN,
        stride=setup["stride"],
        marked=marked,
    )
    if "cls" in setup["poolings"]:
        _compare_cls(cls_place_of(setup), tokenizer.cls_place)
    note_own_code(plan.checkpoint.folder, plan.checkpoint.config)
    tokenizer.prompt = setup.get("prompt", "")
    return tokenizer


def _compare_cls(wanted: int | None, there: int | None) -> None:
    """See that a bank's ``cls`` is where the tokenizer has it, or where banks once took it."""
    if wanted == there:
        return
    if wanted != 0:
        raise EncoderError(
            f"the bank takes cls from the token at {wanted} of a text, and the CLS token of its "
            f"tokenizer is {'nowhere' if there is None else f'at {there}'}: give the bank's own "
            "encoder, or another --bank"
        )
    log.warning(
        "`cls` of this bank is the first token of a text, which is not the CLS token of its "
        "encoder: banks that are made now %s",
        "have none" if there is None else "take that one",
    )


def load(plan: Plan, options: RunOptions) -> tuple[Encoder, dict[str, Any]]:
    """The encoder on its device, and the set-up with what only the loaded model can tell."""
    from extract.engines.device import choose_device, choose_precision

    device = choose_device(options.device)
    setup = dict(plan.setup)
    if setup["precision"] == "auto":
        setup["precision"] = choose_precision(device)
    encoder = load_encoder(
        plan.checkpoint,
        EngineOptions(
            device,
            setup["precision"],
            tuple(setup["poolings"]),
            setup["max_length"],
            cls_place_of(setup) or 0,
        ),
        options.engine,
    )
    setup["pooler"] = encoder.has_pooler
    setup["n_layers"] = encoder.n_layers
    setup["hidden_size"] = encoder.hidden_size
    return encoder, setup


class Heap:
    """Gives freed memory back to the system from time to time, where the C library can.

    Parameters
    ----------
    seconds
        From one time to the next.
    """

    def __init__(self, seconds: float = TRIM_SECONDS) -> None:
        self._seconds = seconds
        self._trim = _malloc_trim()
        self._last = time.monotonic()

    def trim(self) -> None:
        """Give memory back, unless that was done within the last seconds."""
        if self._trim is not None and time.monotonic() - self._last >= self._seconds:
            self._trim(0)
            self._last = time.monotonic()


def _malloc_trim() -> Callable[[int], int] | None:
    """``malloc_trim`` of glibc; None where there is another C library."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            function: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
            return function
    return None
