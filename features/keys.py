"""What a text is, and the key under which a bank keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError

#: One string, or several that are encoded together (a prompt and an essay). Verbatim.
Text = str | tuple[str, ...]

#: Bytes of a key.
KEY_SIZE = 32


def text_key(text: Text) -> bytes:
    """SHA-256 of a text: each part's UTF-8 bytes behind its length (8 bytes, little-endian).

    The lengths make the parts unambiguous: ``("ab", "c")`` and ``("a", "bc")`` differ.

    >>> text_key("a") == text_key(("a",))
    True
    >>> text_key(("ab", "c")) == text_key(("a", "bc"))
    False
    """
    sha256 = hashlib.sha256()
    for part in (text,) if isinstance(text, str) else text:
        try:
            data = part.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                f"the text {part[:40]!r} holds half a surrogate pair at character {error.start}, "
                "which no file can hold; mend it where the text comes from"
            ) from None
        sha256.update(len(data).to_bytes(8, "little"))
        sha256.update(data)
    return sha256.digest()


def digest(*arrays: NDArray[Any]) -> str:
    """SHA-256, in hexadecimal, of the bytes of arrays, one behind the other and in C order."""
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()


def refuse_no_list(texts: object) -> None:
    """InputError for what has other things than its texts when it is iterated over."""
    if isinstance(texts, (str, bytes)):
        raise InputError(
            f"{texts[:40]!r} is one text and no list of texts: give a list of strings, such as "
            "[text]"
        )
    if isinstance(texts, Mapping):
        raise InputError(
            f"a {type(texts).__name__} gives its keys and not its texts: give a list of strings, "
            "such as list(texts.values())"
        )
    # Asked of the type: a Series takes an entry of its index for an attribute.
    if hasattr(type(texts), "columns"):
        raise InputError(
            f"a {type(texts).__name__} gives its columns and not its texts: give one column, such "
            'as df["text"], or pairs, as list(zip(df["prompt"], df["essay"]))'
        )


def text_keys(texts: Iterable[Text]) -> NDArray[np.uint8]:
    """Keys of many texts, shape ``(n, 32)``, dtype uint8, in the order of ``texts``."""
    refuse_no_list(texts)
    keys = []
    for number, text in enumerate(texts, 1):
        try:
            keys.append(text_key(text))
        except (AttributeError, TypeError):
            raise InputError(
                f"text {number} is {text!r:.40}: each has to be a string, or a tuple of strings "
                "that are encoded together"
            ) from None
    return np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, KEY_SIZE)
