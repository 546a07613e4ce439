"""The on-disk format of a bank: the specification, its version, and how to bump it.

A bank is a directory::

    roberta-base.bank/
      bank.json                     what the bank is (below)
      segment-<time>-<sha16>.h5     rows; immutable; named by content
      commits.log                   advisory: one line a commit or retirement
      keys.index                    derived: may be missing or deleted (``features.index``)
      retired/                      segments that ``compact`` replaced; deleted a day later
      damaged/                      what ``verify --repair`` set aside

**bank.json** MUST be a JSON object with

- ``format``: the string ``layerbank``;
- ``version``: an integer, the version of this specification;
- ``setup``: an object, everything that decides the numbers (weights, configuration, tokenizer,
  maximum length, precision, poolings …). It MUST hold ``n_layers`` (hidden states, the embedding
  output included), ``hidden_size``, ``poolings`` (list of names), ``pooler`` (true or false) and
  ``precision`` (``fp32``, ``bf16`` or ``fp16``);
- ``fingerprint``: SHA-256, in hexadecimal, of ``setup`` as canonical JSON (sorted keys, no
  spaces, ASCII, no NaN);
- ``source``: an object that says where the encoder was found. Recorded, never compared;
- ``created``: the time, in UTC. Recorded, never compared;
- ``xxh3_64``: the XXH3 hash (64 bits, seed 0) of the other members as canonical JSON.

**A segment** is one HDF5 file (``libver`` v110) with a user block. Its name is ``segment-``, the
time of the commit in UTC (``YYYYmmddTHHMMSSffffff``; of a compacted one, the earliest that it
replaces), ``-``, the first 16 hexadecimal digits of the SHA-256 of all its bytes, ``.h5``. Names
MUST sort by time. Once it has its name it MUST never change. It MUST hold

=======================  =====================  =================================================
dataset                  shape and dtype        what
=======================  =====================  =================================================
``/key``                 ``(n, 32)`` uint8      SHA-256 of each text (``features.keys``)
``/n_tokens``            ``(n,)`` int32         tokens the encoder saw, special ones included
``/truncated``           ``(n,)`` uint8         1 where tokens were cut off
``/<pooling>/<layer>``   ``(n, hidden)`` float  one block; for each stored pooling, layers 0 … L
``/pooler``              ``(n, hidden)`` float  only where ``setup.pooler`` is true
=======================  =====================  =================================================

Blocks are little-endian float16 when ``precision`` is a half one and every value of every row
fits (magnitude at most 65,504), else float32; one segment has one dtype for all its blocks, and
a row's dtype depends on that row alone. All numbers MUST be finite. Each dataset MUST be
contiguous, uncompressed and aligned to 4,096 bytes, and carry the attribute ``xxh3_64``: the hash
of its bytes as 16 hexadecimal digits. The root carries, for readers of plain HDF5, the attributes
``format``, ``version``, ``fingerprint``, ``n`` (rows) and, as JSON, ``provenance`` (versions,
device, engine, time; never compared), ``setup`` and ``source`` (both as in bank.json).

The user block (4,096 bytes, or the next power of two that fits) is the segment's header, so that
a reader needs no HDF5 library and a damaged file never reaches one. It MUST begin with the line
``layerbank-segment <hash> <length>`` and go on with a JSON object of ``length`` bytes whose XXH3
hash (64 bits, 16 hexadecimal digits) is ``hash``; zeros follow. The object MUST hold what the
root's attributes hold (``provenance``, ``setup`` and ``source`` as objects), ``size`` (bytes in
the file) and ``datasets``: for each its offset in the file, dtype (as NumPy writes it: ``<f2``),
shape and ``xxh3_64``. Because every segment holds ``setup`` and ``source``, a lost bank.json can
be restored.

**commits.log** holds a line for each commit (``commit``) and each segment that no longer has to
be there (``retire``, ``set aside``, ``lost``): time in UTC, event, name, rows, and the XXH3 hash
of these four, separated by tabs. A writer SHOULD append it after the rename.

**Temporary files** MUST begin with ``.writing-`` and be locked (``flock``) by the process that
writes them. Anyone MAY remove one that nobody holds.

Readers MUST check a dataset's hash before they return a number from it, MUST NOT follow a
segment whose fingerprint differs, and MUST take the row of the segment whose name sorts first
where a key occurs twice. Readers take no lock. A file whose name does not match is no segment.

Version 1 is frozen: what is said above MUST stay true of it. How to bump the version: raise
``VERSION``, keep the old reader, add a golden bank of the new version to the tests, and say in
CHANGELOG.md what changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

FORMAT = "layerbank"
VERSION = 1
#: Versions that this code reads.
READABLE = frozenset({1})

MANIFEST = "bank.json"
COMMITS_LOG = "commits.log"
RETIRED = "retired"
DAMAGED = "damaged"
SEGMENT_NAME = re.compile(r"segment-\d{8}T\d{12}-(?P<sha16>[0-9a-f]{16})\.h5")
ALIGNMENT = 4096
CHECKSUM = "xxh3_64"
#: The order of poolings in blocks and in ``*``; others follow in the order they were asked for.
POOLING_ORDER = ("cls", "mean", "max")

Setup = Mapping[str, Any]


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(setup: Setup) -> str:
    """SHA-256, in hexadecimal, of a set-up's canonical JSON."""
    return hashlib.sha256(canonical_json(dict(setup)).encode()).hexdigest()


def differing_fields(one: Setup, other: Setup) -> list[str]:
    """Dotted names of the fields in which two set-ups differ, such as ``config.hidden_act``."""
    return list(_differing(one, other, ""))


def _differing(one: object, other: object, prefix: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in sorted({*one, *other}):
            yield from _differing(one.get(name), other.get(name), f"{prefix}.{name}".lstrip("."))
    elif one != other:
        yield prefix


def order_poolings(poolings: tuple[str, ...]) -> tuple[str, ...]:
    """Poolings in the order in which a bank keeps them."""
    known = [pooling for pooling in POOLING_ORDER if pooling in poolings]
    return tuple(dict.fromkeys([*known, *poolings]))


def segment_name(sha256: str, made: str | None = None) -> str:
    """The name of a segment made now, or then, from the SHA-256 (hexadecimal) of its bytes."""
    return f"segment-{made or f'{datetime.now(UTC):%Y%m%dT%H%M%S%f}'}-{sha256[:16]}.h5"
