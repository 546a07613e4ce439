"""The header in which a segment says what it holds, in the user block in front of the HDF5 part.

A line with a mark, the hash and the length of what follows, then canonical JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, BinaryIO

import xxhash

from features.disk.format import ALIGNMENT, canonical_json
from features.disk.schema import parse_json

MAGIC = b"layerbank-segment"
_FIRST = re.compile(rb"%b ([0-9a-f]{16}) ([0-9]{1,18})\n" % MAGIC)

#: The longest first line there can be.
_FIRST_LINE = 64

#: Bytes of a header at the most; those of a hundred layers have 20,000.
_LARGEST_HEADER = 64 << 20


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
    checksum, start, stop = _first_line(bytes(data[:_FIRST_LINE]))
    text = data[start:stop]
    if xxhash.xxh3_64_hexdigest(text).encode() != checksum:
        raise ValueError("its hash is another")
    content = parse_json(bytes(text))
    if not isinstance(content, dict):
        raise ValueError("it is no object")
    return content


def header_of(file: BinaryIO) -> dict[str, Any]:
    """As :func:`read_header`, of an open file that is not mapped; leaves it at its beginning."""
    file.seek(0)
    *_, stop = _first_line(file.read(_FIRST_LINE))
    file.seek(0)
    data = file.read(stop)
    file.seek(0)
    return read_header(memoryview(data))


def _first_line(data: bytes) -> tuple[bytes, int, int]:
    """Of a header: its hash, and where its text begins and ends."""
    line = _FIRST.match(data)
    if line is None:
        raise ValueError("its first line is not that of a segment")
    checksum, length = line.groups()
    if int(length) > _LARGEST_HEADER:
        raise ValueError(f"it has more than {_LARGEST_HEADER:,} bytes")
    return checksum, line.end(), line.end() + int(length)
