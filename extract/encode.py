"""One stretch of texts through the encoder, batch by batch."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from extract.engines.encoder import DeviceOutOfMemory, Encoder, Pending, Pooled
from extract.texts.batching import Tokens, make_batch, plan_batches
from extract.texts.input import beginning
from extract.texts.stream import Stretch
from extract.texts.windows import Combined, Windows, groups
from features.errors import EncoderError

log = logging.getLogger(__name__)

#: A batch's pooled vectors take no more than these times the tokens of the budget; several such
#: batches wait for the writer. A RoBERTa-base's text counts as 30 tokens at least.
BYTES_A_TOKEN = 4_096


class Budget:
    """Tokens of a batch; halved, for good, when the device runs out of memory."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self._said = False

    def halve(self, n_texts: int, longest: int) -> None:
        """A batch of this size was too large; EncoderError when it was a single text."""
        if n_texts == 1:
            raise EncoderError(
                f"a single text of {longest} tokens does not fit into the device's memory: give "
                "another --device, or a smaller --max-length (which makes another bank)"
            )
        failed = min(self.tokens, n_texts * longest)
        self.tokens = max(1, failed // 2)
        if not self._said:
            log.warning(
                "out of memory at %d tokens a batch: going on with %d, and half of that again "
                "when need be (--batch-tokens sets it from the start)",
                failed,
                self.tokens,
            )
        self._said = True


Rows = tuple[NDArray[np.int64], NDArray[np.float32]]


def encode(
    encoder: Encoder,
    stretch: Stretch,
    tokens: Sequence[Tokens],
    pad_id: int,
    budget: Budget,
    windows: Windows | None = None,
) -> Iterator[Rows]:
    """Encode a stretch of the stream, longest texts first.

    Parameters
    ----------
    encoder
        Ready to run.
    stretch, tokens
        n texts and their tokens.
    pad_id
        Fills the end of shorter texts.
    budget
        Tokens of a batch; changed when the device runs out of memory.
    windows
        How texts are read that do not fit; None when there are none.

    Yields
    ------
    Positions in the stretch, shape ``(B,)``, and their blocks, shape ``(B, n_blocks, hidden)``.

    Raises
    ------
    EncoderError
        When a text's numbers are not finite, or a single text exceeds the device's memory.
    """
    fitting = np.array([i for i, text in enumerate(tokens) if text.slides is None], np.int64)
    if windows is not None and len(fitting) < len(tokens):
        yield from _long(encoder, stretch, tokens, pad_id, budget, windows)
    inputs = [tokens[i] for i in fitting]
    for rows, values in _batches(encoder, stretch, fitting, inputs, pad_id, budget):
        yield fitting[rows], values


def _long(
    encoder: Encoder,
    stretch: Stretch,
    tokens: Sequence[Tokens],
    pad_id: int,
    budget: Budget,
    windows: Windows,
) -> Iterator[Rows]:
    """The texts that do not fit, each once all of its windows are encoded."""
    long = [i for i, text in enumerate(tokens) if text.slides is not None]
    counts = [windows.count(tokens[i]) for i in long]
    for group in groups(counts):
        pieces = {long[j]: windows.split(tokens[long[j]]) for j in group}
        combined = {i: Combined(windows, texts) for i, texts in pieces.items()}
        sources = np.repeat([*pieces], [len(texts) for texts in pieces.values()])
        number = np.concatenate([np.arange(len(texts)) for texts in pieces.values()])
        every = list(chain.from_iterable(pieces.values()))
        for rows, values in _batches(encoder, stretch, sources, every, pad_id, budget):
            for row, new in zip(rows, values, strict=True):
                i = int(sources[row])
                if combined[i].add(int(number[row]), new):
                    yield np.array([i]), combined.pop(i).result()[None]


def _batches(
    encoder: Encoder,
    stretch: Stretch,
    sources: NDArray[np.int64],
    tokens: Sequence[Tokens],
    pad_id: int,
    budget: Budget,
) -> Iterator[Rows]:
    """Encode inputs batch by batch.

    Parameters
    ----------
    sources
        Which text of the stretch each input is, or is a window of; shape ``(n,)``.

    Yields
    ------
    Positions among the inputs, shape ``(B,)``, and their blocks.
    """
    lengths = np.array([len(text.ids) for text in tokens], np.int64)
    todo = np.arange(len(tokens))
    while len(todo):
        done = [np.empty(0, np.int64)]
        batches = plan_batches(lengths[todo], budget.tokens, fewest_tokens(encoder), encoder.pads)
        plan = [todo[chosen] for chosen in batches]
        try:
            for rows, pooled in _ahead(encoder, plan, tokens, pad_id):
                _refuse_infinite(stretch, sources[rows], pooled)
                done.append(rows)
                yield rows, pooled.values
        except DeviceOutOfMemory as error:
            budget.halve(error.n_texts, error.n_tokens)
        # A batch that was under way beside one that failed is computed again.
        todo = np.setdiff1d(todo, np.concatenate(done))


def fewest_tokens(encoder: Encoder) -> int:
    """As how many tokens a shorter text counts, since what is pooled from it takes memory too."""
    return -(-encoder.n_blocks * encoder.hidden_size * 4 // BYTES_A_TOKEN)


def _ahead(
    encoder: Encoder, plan: Iterable[NDArray[np.int64]], tokens: Sequence[Tokens], pad_id: int
) -> Iterator[tuple[NDArray[np.int64], Pooled]]:
    """What each batch gives, while as many more are under way as the engine likes."""
    under_way: deque[tuple[NDArray[np.int64], Pending]] = deque()
    for rows in plan:
        batch = make_batch([tokens[row] for row in rows], pad_id)
        under_way.append((rows, encoder.submit(batch)))
        if len(under_way) > encoder.ahead:
            first, pending = under_way.popleft()
            yield first, pending.result()
    for rows, pending in under_way:
        yield rows, pending.result()


def _refuse_infinite(stretch: Stretch, sources: NDArray[np.int64], pooled: Pooled) -> None:
    """EncoderError unless a batch's blocks are all finite."""
    if not pooled.finite.all():
        i = sources[np.flatnonzero(~pooled.finite)[0]]
        raise EncoderError(
            f"text {stretch.numbers[i]} ({beginning(stretch.texts[i])}) gives numbers that are "
            "not finite: give --precision fp32 (which makes another bank), or leave it out if "
            "that is what was used"
        )
