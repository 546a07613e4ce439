"""The key under which a bank keeps a text."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from features.texts import Text as Text
from features.texts import TextsLike, as_texts

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


def text_keys(texts: TextsLike) -> NDArray[np.uint8]:
    """Keys of many texts, shape ``(n, 32)``, dtype uint8, in the order of ``texts``.

    Parameters
    ----------
    texts
        As :func:`features.as_texts` takes them.
    """
    keys = b"".join(map(text_key, as_texts(texts)))
    return np.frombuffer(keys, dtype=np.uint8).reshape(-1, KEY_SIZE)
