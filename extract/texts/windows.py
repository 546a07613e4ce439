"""Long texts in overlapping windows: how they are split, and put together again.

Each window is a whole input of the encoder: the special tokens of its template, and as many tokens
of the text as then fit. Window k begins ``k * stride`` tokens into the text, and the last is the
first that reaches its end. Of a pair, the longer text is split and the shorter stands whole in
every window; should it take more than half of the room, the rest of it is cut off. Of more texts,
the longest is split and the others stand in every window, with half of the room together: what is
beyond is cut off, of the longest of them first.

Every token state counts in every window in which it stands, so that tokens in an overlap count
once for each window, and special tokens once a window. ``mean`` is then the mean of all these
states: the windows' means, weighted by their tokens. ``cls`` is that of the first window, also
where the template has it at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extract.engines.pooling import POOLINGS, OverWindows
from extract.texts.batching import Tokens
from extract.texts.template import room_for_each

#: Windows that are encoded together, whole texts at a time: bounds what waits to be combined.
TOGETHER = 512


def sliding(tokens: Tokens, parts: NDArray[np.int64], length: int) -> Tokens:
    """A text that does not fit, with the part over which windows slide.

    Parameters
    ----------
    tokens
        All of its n tokens.
    parts
        Which of several texts each token is of, from 0, and -1 for special tokens; shape ``(n,)``.
    length
        Tokens of a window.
    """
    counts = np.bincount(parts[parts >= 0], minlength=2)
    longest = int(counts.argmax())
    others = [part for part in range(len(counts)) if part != longest]
    room = length - int((parts < 0).sum())
    # Where the longest leaves more than half (never of a pair), the others need not be cut so far.
    share = max(room // 2, room - int(counts[longest]))
    kept = room_for_each([int(counts[part]) for part in others], share)
    excess = np.concatenate(
        [np.flatnonzero(parts == part)[n:] for part, n in zip(others, kept, strict=True)]
    )
    if len(excess):
        tokens = _taken(tokens, np.setdiff1d(np.arange(len(parts)), excess))
        parts = np.delete(parts, excess)
    inside = np.flatnonzero(parts == longest)
    return tokens._replace(
        truncated=bool(len(excess)), slides=(int(inside[0]), int(inside[-1]) + 1)
    )


@dataclass(frozen=True, slots=True)
class Windows:
    """How long texts are read.

    Parameters
    ----------
    length, stride
        Tokens of a window, and from the start of one to the start of the next.
    poolings
        In the bank's order.
    n_layers
        Blocks of each pooling; what follows them is the pooler's.
    """

    length: int
    stride: int
    poolings: tuple[str, ...]
    n_layers: int

    @classmethod
    def planned(cls, setup: Mapping[str, Any]) -> Windows | None:
        """As a set-up says; None where long texts are cut off."""
        if setup["stride"] is None:
            return None
        return cls(
            setup["max_length"], setup["stride"], tuple(setup["poolings"]), setup["n_layers"]
        )

    def split(self, tokens: Tokens) -> list[Tokens]:
        """The windows of a text, in order; the text itself when it fits."""
        if tokens.slides is None:
            return [tokens]
        (start, stop), n = tokens.slides, len(tokens.ids)
        firsts, room = self._firsts(tokens)
        return [
            _taken(tokens, np.r_[0:start, first : min(first + room, stop), stop:n])
            for first in firsts
        ]

    def count(self, tokens: Tokens) -> int:
        """How many windows a text has."""
        return 1 if tokens.slides is None else len(self._firsts(tokens)[0])

    def _firsts(self, tokens: Tokens) -> tuple[range, int]:
        """Where the windows of a long text begin, and how many of its tokens each has room for."""
        assert tokens.slides is not None
        start, stop = tokens.slides
        room = self.length - (len(tokens.ids) - (stop - start))
        step = min(self.stride, room)  # beside the shorter text of a pair there is less room
        return range(start, max(stop - room, start) + step, step), room

    def rules(self) -> Iterator[tuple[slice, OverWindows, bool]]:
        """Blocks, how their windows are combined, and whether special tokens count in them."""
        for i, name in enumerate(self.poolings):
            pooling = POOLINGS[name]
            blocks = slice(i * self.n_layers, (i + 1) * self.n_layers)
            yield blocks, pooling.over_windows, pooling.special
        yield slice(len(self.poolings) * self.n_layers, None), "first", True


class Combined:
    """A text's blocks, from those of its windows, which may come in any order.

    Parameters
    ----------
    windows
        How texts are read.
    pieces
        The windows of the text.
    """

    def __init__(self, windows: Windows, pieces: Sequence[Tokens]) -> None:
        self._rules = list(windows.rules())
        self._missing = len(pieces)
        self._last = len(pieces) - 1
        self._sizes = np.array([len(piece.ids) for piece in pieces], np.float64)
        self._contents = np.array([_content(piece) for piece in pieces], np.float64)
        self._values: NDArray[np.float64] | None = None

    def add(self, k: int, values: NDArray[np.float32]) -> bool:
        """Add window k, shape ``(n_blocks, hidden)``; whether the text is complete."""
        if self._values is None:
            self._values = np.zeros(values.shape)
            for blocks, rule, _ in self._rules:
                if rule in ("max", "min"):
                    self._values[blocks] = -np.inf if rule == "max" else np.inf
        for blocks, rule, special in self._rules:
            into, new = self._values[blocks], values[blocks]
            weights = self._sizes if special else self._contents
            share = weights[k] / weights.sum()
            if rule == "mean":
                into += share * new
            elif rule == "rms":
                into += share * np.square(new, dtype=np.float64)
            elif rule == "max":
                np.maximum(into, new, out=into)
            elif rule == "min":
                np.minimum(into, new, out=into)
            elif k == (0 if rule == "first" else self._last):
                into[:] = new
        self._missing -= 1
        return not self._missing

    def result(self) -> NDArray[np.float32]:
        """The text's blocks, shape ``(n_blocks, hidden)``, once all windows are there."""
        assert self._values is not None
        for blocks, rule, _ in self._rules:
            if rule == "rms":
                np.sqrt(self._values[blocks], out=self._values[blocks])
        return self._values.astype(np.float32)


def _taken(tokens: Tokens, places: NDArray[np.int64]) -> Tokens:
    ids, types, truncated, content, *_ = tokens
    return Tokens(
        ids[places],
        None if types is None else types[places],
        truncated,
        None if content is None else content[places],
        literal=tokens.literal,
    )


def _content(piece: Tokens) -> int:
    return len(piece.ids) if piece.content is None else int(piece.content.sum())


def groups(counts: Sequence[int], limit: int = TOGETHER) -> Iterator[range]:
    """Runs of texts with at most ``limit`` windows together, or of a single text."""
    start = total = 0
    for i, count in enumerate(counts):
        if total and total + count > limit:
            yield range(start, i)
            start, total = i, 0
        total += count
    if total:
        yield range(start, len(counts))
