"""Tokenised texts become batches: equal lengths together, the longest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from extract.engines.encoder import Batch

#: Shorter texts may join a batch while they waste no more than this on padding.
PADDING_SHARE, PADDING_TOKENS = 0.1, 8


class Tokens(NamedTuple):
    """One text as token ids, special ones included."""

    ids: NDArray[np.int32]
    """Shape ``(n_tokens,)``."""
    type_ids: NDArray[np.int8] | None
    """Shape ``(n_tokens,)``; None when all are 0 or the encoder takes none."""
    truncated: bool
    content: NDArray[np.bool_] | None = None
    """Shape ``(n_tokens,)``, False at special tokens; None where no pooling asks for it."""
    slides: tuple[int, int] | None = None
    """Where the part begins and ends over which windows slide; None for a text that fits."""
    literal: bool = False
    """Whether one of the encoder's own special tokens stands in the text, whatever it counts as."""


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
