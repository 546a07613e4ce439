"""Texts and their tokens, as they pass through the pipeline."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from features.keys import Text


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
