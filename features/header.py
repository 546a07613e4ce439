"""What a segment says of itself, in the user block at the head of its file.

Two lines of text, then zeros up to a power of two: ``layerbank-segment``, the XXH3 hash of the
JSON and its length in bytes; the JSON (``docs/format.md`` says what it holds).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import xxhash

from features.format import ALIGNMENT, canonical_json

MAGIC = b"layerbank-segment"
#: The longest first line there can be.
_FIRST_LINE = 64


def header_bytes(content: Mapping[str, Any]) -> bytes:
    """The header of a segment."""
    text = canonical_json(content).encode()
    return b"%b %b %d\n%b\n" % (MAGIC, xxhash.xxh3_64_hexdigest(text).encode(), len(text), text)


def header_room(size: int) -> int:
    """Bytes of the user block that holds a header of ``size`` bytes: a power of two."""
    return max(ALIGNMENT, 1 << (size - 1).bit_length())


def read_header(data: memoryview) -> dict[str, Any]:
    """The content of the header at the beginning of a file.

    Raises
    ------
    ValueError
        When it is not what was written.
    """
    first, newline, _ = bytes(data[:_FIRST_LINE]).partition(b"\n")
    try:
        magic, checksum, length = first.split(b" ")
    except ValueError:
        magic = b""
    if magic != MAGIC or not newline:
        raise ValueError("its first line is not that of a segment")
    text = data[len(first) + 1 : len(first) + 1 + int(length)]
    if xxhash.xxh3_64_hexdigest(text).encode() != checksum:
        raise ValueError("its hash is another")
    content = json.loads(bytes(text))
    if not isinstance(content, dict):
        raise ValueError("it is no object")
    return content
