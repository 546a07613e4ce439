"""From a stream of texts to batches: windows, what is new in them, equal lengths together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from extract.encoder import Batch
from extract.shards import Picked
from extract.texts import Tokens, n_characters
from features.bank import Bank
from features.keys import KEY_SIZE, Text, text_keys

#: Texts that are sorted by length together, and their characters, about: bounds what of a stream
#: stands in memory.
WINDOW, WINDOW_CHARACTERS = 16_384, 1 << 25
#: The first window is smaller and each doubles the one before, so that no device waits long for
#: its first batch.
FIRST_WINDOW = 2_048

#: Shorter texts may join a batch while they waste no more than this on padding.
PADDING_SHARE, PADDING_TOKENS = 0.1, 8

Keys = NDArray[np.uint8]


class Window(NamedTuple):
    """New texts of one stretch of the stream, distinct."""

    numbers: NDArray[np.int64]
    """Where each stands in the whole input, from 1; shape ``(n,)``."""
    texts: list[Text]
    keys: Keys
    """Shape ``(n, 32)``."""


class NewTexts:
    """Iterates over the windows of a stream, less what a bank has and what came before.

    Parameters
    ----------
    texts
        Any iterable, read once. Of a :class:`extract.shards.Picked`, texts have the numbers that
        they have there, and what is left of it may go on in another.
    bank
        What it has is left out.
    size
        Texts in a window at most.
    limit
        Texts to take from the stream at most.

    Attributes
    ----------
    n_read
        Texts taken from the stream so far.
    n_new
        Distinct texts among them that the bank lacked.
    """

    def __init__(
        self,
        texts: Iterable[Text],
        bank: Bank | None,
        size: int = WINDOW,
        *,
        limit: int | None = None,
    ) -> None:
        self._texts = texts if isinstance(texts, Picked) else Picked(texts, None)
        self._bank = bank
        self._limit = limit
        self._most = size
        self._size = min(size, FIRST_WINDOW)
        self._runs: list[NDArray[np.bytes_]] = []
        self.n_read = 0
        self.n_new = 0

    def __iter__(self) -> Iterator[Window]:
        numbers, texts = self._take()
        while texts:
            self.n_read += len(texts)
            keys = text_keys(texts)
            new = self._new(keys)
            self.n_new += len(new)
            if len(new):
                yield Window(numbers[new], [texts[i] for i in new], keys[new])
            numbers, texts = self._take()

    def _take(self) -> tuple[NDArray[np.int64], list[Text]]:
        """The next texts, and their numbers."""
        numbers: list[int] = []
        texts: list[Text] = []
        size = 0
        room = self._size if self._limit is None else min(self._size, self._limit - self.n_read)
        for text in islice(self._texts, room):
            numbers.append(self._texts.n_seen)
            texts.append(text)
            size += n_characters(text)
            if size >= WINDOW_CHARACTERS:
                break
        self._size = min(2 * self._size, self._most)
        return np.array(numbers, np.int64), texts

    def _new(self, keys: Keys) -> NDArray[np.int64]:
        """Positions of keys that neither the bank nor an earlier window has, each once."""
        _, first = np.unique(_as_bytes(keys), return_index=True)
        if self._bank is not None:
            first = first[~self._bank.contains_keys(keys[first])]
        for run in self._runs:
            wanted = _as_bytes(keys[first])
            at = np.searchsorted(run, wanted)
            found = run[np.minimum(at, len(run) - 1)] == wanted
            first = first[~found]
        self._remember(_as_bytes(keys[first]))
        return np.sort(first).astype(np.int64)

    def _remember(self, keys: NDArray[np.bytes_]) -> None:
        """Keep sorted runs, and merge runs of like size: few to search, 32 bytes a text."""
        if not len(keys):
            return
        self._runs.append(np.sort(keys))
        while len(self._runs) > 1 and len(self._runs[-1]) * 2 > len(self._runs[-2]):
            self._runs[-2:] = [np.sort(np.concatenate(self._runs[-2:]))]


def _as_bytes(keys: Keys) -> NDArray[np.bytes_]:
    """Keys as strings of bytes, which NumPy can sort; shape ``(n,)``."""
    return np.ascontiguousarray(keys).view(f"S{KEY_SIZE}").reshape(-1)


def plan_batches(
    lengths: NDArray[np.int64], budget: int, fewest: int = 1, pads: bool = True
) -> Iterator[NDArray[np.int64]]:
    """Positions of texts that share a batch: longest first, at most ``budget`` tokens a batch.

    Where texts of one length fill at least half of a batch, it holds these alone: then there is
    no padding and no mask. Elsewhere somewhat shorter texts join. A text longer than the budget
    is a batch of its own.

    Parameters
    ----------
    lengths
        Tokens of each text, shape ``(n,)``.
    budget
        Tokens of a batch, padding included.
    fewest
        A shorter text counts as so many tokens.
    pads
        Whether shorter texts may join at all.
    """
    order = np.argsort(-lengths, kind="stable").astype(np.int64)
    descending = lengths[order]
    start = 0
    while start < len(order):
        longest = int(descending[start])
        room = max(1, budget // max(longest, fewest))
        shortest = longest - max(PADDING_TOKENS, int(PADDING_SHARE * longest))
        equal = int(np.searchsorted(-descending, -longest, side="right")) - start
        similar = int(np.searchsorted(-descending, -shortest, side="right")) - start
        count = min(room, equal if equal * 2 >= room or not pads else similar)
        yield order[start : start + count]
        start += count


def make_batch(tokens: Sequence[Tokens], pad_id: int) -> Batch:
    """Texts as one padded batch; no mask where all have the same length."""
    lengths = np.array([len(text.ids) for text in tokens])
    inside = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(inside.shape, pad_id, np.int64)
    ids[inside] = np.concatenate([text.ids for text in tokens])
    type_ids = None
    if any(text.type_ids is not None and text.type_ids.any() for text in tokens):
        type_ids = np.zeros(inside.shape, np.int64)
        for row, text in zip(type_ids, tokens, strict=True):
            row[: len(text.ids)] = 0 if text.type_ids is None else text.type_ids
    content = None
    if any(text.content is not None for text in tokens):
        content = inside.copy()
        for row, text in zip(content, tokens, strict=True):
            # A text without any token of its own is nothing but its special ones.
            if text.content is not None and text.content.any():
                row[: len(text.ids)] = text.content
    return Batch(ids, None if inside.all() else inside, type_ids, content)
