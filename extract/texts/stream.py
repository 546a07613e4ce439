"""What of an input is new: stretches of the stream, less what a bank has and what came before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from extract.texts.input import Picked
from features.bank import Bank, is_bank
from features.keys import KEY_SIZE, Text, text_keys

#: Texts that are sorted by length together, and their characters, about: bounds what of a stream
#: stands in memory.
STRETCH, STRETCH_CHARACTERS = 16_384, 1 << 25

#: The first stretch is smaller and each doubles the one before, so that no device waits long for
#: its first batch.
FIRST_STRETCH = 2_048

#: Keys that are remembered, 32 bytes each, before the bank is asked to remember them.
REMEMBERED = 1 << 22

#: A small input is cut so that every process gets about this many stretches, of at least so many
#: texts.
STRETCHES_EACH, SMALLEST_STRETCH = 4, 32

Keys = NDArray[np.uint8]


class Stretch(NamedTuple):
    """New texts of one stretch of the stream, distinct."""

    numbers: NDArray[np.int64]
    """Where each stands in the whole input, from 1; shape ``(n,)``."""
    texts: list[Text]
    keys: Keys
    """Shape ``(n, 32)``."""

    def rows(self, rows: NDArray[np.int64]) -> Stretch:
        """Some of the texts."""
        return Stretch(self.numbers[rows], [self.texts[row] for row in rows], self.keys[rows])


class NewTexts:
    """Iterates over the stretches of a stream, less what a bank has and what came before.

    Parameters
    ----------
    texts
        Any iterable, read once. Of a :class:`extract.texts.input.Picked`, texts have the numbers
        that they have there, and what is left of it may go on in another.
    bank
        What it has is left out.
    size
        Texts in a stretch at most.
    characters
        A stretch ends with the text that brings it to so many.
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
        size: int = STRETCH,
        *,
        characters: int = STRETCH_CHARACTERS,
        limit: int | None = None,
    ) -> None:
        self._texts = texts if isinstance(texts, Picked) else Picked(texts, None)
        self._bank = bank
        self._most, self._characters, self._limit = size, characters, limit
        self._size = min(size, FIRST_STRETCH)
        self._runs: list[NDArray[np.bytes_]] = []
        self.n_read = 0
        self.n_new = 0

    def __iter__(self) -> Iterator[Stretch]:
        while True:
            most = self._size
            if self._limit is not None:
                most = min(most, self._limit - self.n_read)
            numbers, texts = self._texts.take(most, self._characters)
            if not texts:
                return
            self._size = min(2 * self._size, self._most)
            self.n_read += len(texts)
            keys = text_keys(texts)
            new = self._new(keys)
            self.n_new += len(new)
            if len(new):
                yield Stretch(np.array(numbers, np.int64), texts, keys).rows(new)

    def _new(self, keys: Keys) -> NDArray[np.int64]:
        """Positions of keys that neither the bank nor an earlier stretch has, each once."""
        _, first = np.unique(_as_bytes(keys), return_index=True)
        if self._bank is not None:
            first = first[~self._bank.contains_keys(keys[first])]
        for run in self._runs:
            wanted = _as_bytes(keys[first])
            places = np.minimum(np.searchsorted(run, wanted), len(run) - 1)
            first = first[run[places] != wanted]
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


class NewStretches:
    """Stretches of new texts, for several processes, in memory that does not grow with the input.

    Of what the bank has, no key need be remembered. So from time to time all that was handed out
    has to be committed first: then :meth:`next` gives nothing until it is.

    Parameters
    ----------
    path, bank
        Where the bank is or will be, and the bank as it is now.
    texts
        The input.
    size
        Texts in a stretch at most.
    remembered
        Texts after which all has to be committed.

    Attributes
    ----------
    n_read, n_new
        As of :class:`NewTexts`.
    exhausted
        Whether the input has ended.
    """

    def __init__(
        self,
        path: Path,
        bank: Bank | None,
        texts: Picked,
        size: int,
        *,
        remembered: int = REMEMBERED,
    ) -> None:
        self._path, self._texts, self._size = path, texts, size
        self._remembered = remembered
        self.n_read = self.n_new = 0
        self.exhausted = False
        self._begin(bank)

    def _begin(self, bank: Bank | None) -> None:
        self._part = NewTexts(self._texts, bank, self._size, limit=self._remembered)
        self._stretches: Iterator[Stretch] | None = iter(self._part)
        self._read_before, self._new_before = self.n_read, self.n_new

    def next(self, *, all_committed: bool) -> Stretch | None:
        """The next stretch; None when there is none, or none before all is committed."""
        while not self.exhausted:
            stretch = next(self._stretches, None) if self._stretches is not None else None
            self.n_read = self._read_before + self._part.n_read
            self.n_new = self._new_before + self._part.n_new
            if stretch is not None:
                return stretch
            if self._part.n_read < self._remembered:
                self.exhausted = True
            elif all_committed:
                self._begin(bank_at(self._path))
            else:
                self._stretches = None
                return None
        return None


def bank_at(path: Path) -> Bank | None:
    """The bank in a folder as it stands now; None where there is none."""
    return Bank.open(path) if is_bank(path) else None


def stretch_size(n_texts: int | None, n_processes: int) -> int:
    """Texts in a stretch: as many as one process takes, fewer where they would not go round."""
    if n_texts is None:
        return STRETCH
    return min(STRETCH, max(SMALLEST_STRETCH, -(-n_texts // (STRETCHES_EACH * n_processes))))


def count_new(bank: Bank | None, texts: Picked, *, remembered: int = REMEMBERED) -> int:
    """Texts that the bank lacks, for a progress bar: in a long input, a repeated one counts again.

    Parameters
    ----------
    bank, texts, remembered
        As of :class:`NewStretches`.
    """
    n_new = 0
    while True:
        part = NewTexts(texts, bank, limit=remembered)
        for _ in part:
            pass
        n_new += part.n_new
        if part.n_read < remembered:
            return n_new
