"""What of an input is new, in memory that does not grow with it: for several processes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank, is_bank
from features.errors import InputError
from features.keys import KEY_SIZE, Text, text_key, text_keys

if TYPE_CHECKING:
    pass


def refuse_odd(text: object, number: int) -> None:
    """InputError unless a text is a string or a pair of them; ``number`` says which one it is."""
    parts = text if isinstance(text, tuple) else (text,)
    if not all(isinstance(part, str) for part in parts):
        kind = type(next(part for part in parts if not isinstance(part, str))).__name__
        raise InputError(f"text {number} is no string but {kind}: leave it out or write it as one")
    if not 1 <= len(parts) <= 2:
        raise InputError(
            f"text {number} has {len(parts)} parts, and an encoder takes one text or a pair: join "
            "some of them first"
        )


def n_characters(text: Text) -> int:
    """Characters of a text, or of all parts of one."""
    return len(text) if isinstance(text, str) else sum(map(len, text))


def beginning(text: Text) -> str:
    """The first words of a text, to find it by."""
    first = text if isinstance(text, str) else text[0]
    return repr(first if len(first) <= 40 else f"{first[:40]}…")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` parts, ``index`` counted from 0."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From ``i/n``.

        >>> Shard.parse("3/16")
        Shard(index=3, count=16)

        Raises
        ------
        InputError
            When it is no such thing, or there is no such shard.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", str(text), re.ASCII)
        if match is None:
            raise InputError(
                f"{text!r} is no shard: give --shard i/n, such as 0/16 for the first of 16"
            )
        index, count = int(match[1]), int(match[2])
        if index >= count:
            raise InputError(
                f"there is no shard {index} of {count}, since shards count from 0: give --shard "
                + (f"0/{count} to {count - 1}/{count}" if count else "0/1, or more than 0 of them")
            )
        return cls(index, count)

    def has(self, text: Text) -> bool:
        """Whether a text is of this shard: its key's first 8 bytes, big-endian, modulo n."""
        return int.from_bytes(text_key(text)[:8], "big") % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


class Picked:
    """An iterator over the texts of a shard; InputError at what is no text, of any shard.

    Attributes
    ----------
    n_seen
        Texts of all shards that were read so far, and so the number in the whole input, from 1,
        of the text that was given last.
    """

    def __init__(self, texts: Iterable[Text], shard: Shard | None) -> None:
        self._texts, self._shard = iter(texts), shard
        self.n_seen = 0

    def __iter__(self) -> Iterator[Text]:
        return self

    def __next__(self) -> Text:
        for text in self._texts:
            self.n_seen += 1
            refuse_odd(text, self.n_seen)
            if self._shard is None or self._shard.has(text):
                return text
        raise StopIteration


#: Texts that are sorted by length together, and their characters, about: bounds what of a stream
#: stands in memory.
WINDOW, WINDOW_CHARACTERS = 16_384, 1 << 25


#: The first window is smaller and each doubles the one before, so that no device waits long for
#: its first batch.
FIRST_WINDOW = 2_048


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


#: Keys that are remembered, 32 bytes each, before the bank is asked to remember them.
REMEMBERED = 1 << 22


#: A small input is cut so that every process gets about this many windows, of at least so many
#: texts.
WINDOWS_EACH, SMALLEST_WINDOW = 4, 32


class Plan(Protocol):
    """Which bank is to be filled."""

    @property
    def path(self) -> Path: ...
    @property
    def bank(self) -> Bank | None: ...


class NewWindows:
    """Windows of new texts in memory that does not grow with the input.

    Of what the bank has, no key need be remembered. So from time to time all that was handed out
    has to be committed first: then :meth:`next` gives nothing until it is.

    Attributes
    ----------
    n_read, n_new
        As of :class:`extract.batching.NewTexts`.
    exhausted
        Whether the input has ended.
    """

    def __init__(self, plan: Plan, texts: Picked, size: int) -> None:
        self._plan, self._texts, self._size = plan, texts, size
        self.n_read = self.n_new = 0
        self.exhausted = False
        self._begin(plan.bank)

    def _begin(self, bank: Bank | None) -> None:
        self._part = NewTexts(self._texts, bank, self._size, limit=REMEMBERED)
        self._windows: Iterator[Window] | None = iter(self._part)
        self._read_before, self._new_before = self.n_read, self.n_new

    def next(self, *, all_committed: bool) -> Window | None:
        """The next window; None when there is none, or none before all is committed."""
        while not self.exhausted:
            window = next(self._windows, None) if self._windows is not None else None
            self.n_read = self._read_before + self._part.n_read
            self.n_new = self._new_before + self._part.n_new
            if window is not None:
                return window
            if self._part.n_read < REMEMBERED:
                self.exhausted = True
            elif all_committed:
                self._begin(bank_of(self._plan))
            else:
                self._windows = None
                return None
        return None


def bank_of(plan: Plan) -> Bank | None:
    """The bank as it stands now."""
    return Bank.open(plan.path) if is_bank(plan.path) else None


def window_size(n_texts: int | None, n_processes: int) -> int:
    """Texts in a window: as many as one process takes, fewer where they would not go round."""
    if n_texts is None:
        return WINDOW
    return min(WINDOW, max(SMALLEST_WINDOW, -(-n_texts // (WINDOWS_EACH * n_processes))))


def count_new_windows(plan: Plan, texts: Picked) -> int:
    """Texts that the bank lacks, for the progress bar; a repeated one may count again."""
    n_new = 0
    while True:
        part = NewTexts(texts, plan.bank, limit=REMEMBERED)
        for _ in part:
            pass
        n_new += part.n_new
        if part.n_read < REMEMBERED:
            return n_new
