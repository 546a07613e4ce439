"""The on-disk format of a bank: its names, its version, and how to bump it.

A bank is a directory::

    roberta-base.bank/
      bank.json                     what the bank is
      segment-<time>-<sha16>.h5     rows; immutable; named by content
      commits.log                   advisory: one line a commit or retirement
      keys.index                    derived: may be missing or deleted (:mod:`features.disk.index`)
      retired/                      segments that ``compact`` replaced; deleted a day later
      damaged/                      what ``verify --repair`` set aside

``docs/format.md`` specifies all of it, exactly enough for a reader in another language, and
``tests/test_format_document.py`` reads banks by that page alone.

Version 1 is frozen: what is said there MUST stay true of it. How to bump the version: raise
``VERSION``, keep the old reader, add a golden bank of the new version to the tests, and say in
CHANGELOG.md what changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from features.selection import Block, Setup

FORMAT = "layerbank"
VERSION = 1

#: Versions that this code reads.
READABLE = frozenset({1})

MANIFEST = "bank.json"
COMMITS_LOG = "commits.log"
RETIRED = "retired"
DAMAGED = "damaged"
SEGMENT_NAME = re.compile(r"segment-\d{8}T\d{12}-(?P<sha16>[0-9a-f]{16})\.h5")

#: Where data begin in a segment: at multiples of so many bytes.
ALIGNMENT = 4096

#: The attribute that holds the hash of a dataset's bytes.
CHECKSUM = "xxh3_64"


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(setup: Setup) -> str:
    """SHA-256, in hexadecimal, of a set-up's canonical JSON."""
    return hashlib.sha256(canonical_json(dict(setup)).encode()).hexdigest()


def differing_fields(first: Setup, second: Setup) -> list[str]:
    """Dotted names of the fields in which two set-ups differ, such as ``config.hidden_act``."""
    return list(_differing(first, second, ""))


def segment_name(sha256: str, made: str | None = None) -> str:
    """The name of a segment made now, or then, from the SHA-256 (hexadecimal) of its bytes."""
    return f"segment-{made or f'{datetime.now(UTC):%Y%m%dT%H%M%S%f}'}-{sha256[:16]}.h5"


def dataset_name(block: Block) -> str:
    """Where a block stands in a segment, such as ``/mean/12``."""
    return f"/{block.pooling}" if block.layer is None else f"/{block.pooling}/{block.layer}"


def _differing(first: object, second: object, prefix: str) -> Iterator[str]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for name in sorted({*first, *second}):
            path = f"{prefix}.{name}".lstrip(".")
            yield from _differing(first.get(name), second.get(name), path)
    elif first != second:
        yield prefix
