"""Texts that are missing or have nothing in them: a file of predictions needs their rows, too."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from features.columns import as_list
from features.errors import InputError
from features.keys import Text
from features.tables.labels import is_missing
from features.texts import TextsLike, as_texts

#: What becomes of an empty text: it is predicted like any other, from the special tokens that the
#: encoder puts around it; it gets the mean of the training target; or its row is left out.
Empty = Literal["predict", "mean", "skip"]


def checked_empty(given: str) -> Empty:
    """The way that was named; InputError where there is none of that name."""
    for way in get_args(Empty):
        if given == way:
            found: Empty = way
            return found
    raise InputError(f"empty texts are {', '.join(get_args(Empty))}, not {given!r}")


def filled_texts(given: TextsLike) -> tuple[list[Text], NDArray[np.bool_]]:
    """Texts with an empty string for each missing part, and which of them have an empty part."""
    texts = as_texts([_filled(text) for text in as_list(given, "texts")])
    return texts, np.array([has_empty_part(text) for text in texts], dtype=bool)


def has_empty_part(text: Text) -> bool:
    """Whether a text, or a part of one that has several, is empty."""
    return text == "" if isinstance(text, str) else "" in text


def _filled(text: Any) -> Any:
    if isinstance(text, (tuple, list)):
        return tuple("" if not isinstance(p, str) and is_missing(p) else p for p in text)
    return "" if not isinstance(text, str) and is_missing(text) else text
