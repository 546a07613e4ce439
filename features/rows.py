"""Rows on their way to disk: what one segment will hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from features.blocks import Block, dataset_name
from features.format import CHECKSUM, FORMAT, VERSION
from features.image import Dataset, Image, hdf5_image


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to be written: one segment's content.

    Parameters
    ----------
    keys
        Shape ``(n, 32)``, uint8.
    n_tokens
        Shape ``(n,)``, int32.
    truncated
        Shape ``(n,)``, bool.
    blocks
        Each block's array, shape ``(n, hidden)``, all float32 or all float16, C-ordered.
    """

    keys: NDArray[np.uint8]
    n_tokens: NDArray[np.int32]
    truncated: NDArray[np.bool_]
    blocks: Mapping[Block, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.keys)


def segment_image(rows: Rows, fingerprint: str, provenance: Mapping[str, Any]) -> Image:
    """The bytes of a segment, laid out without copying the blocks."""
    datasets = {
        "/key": _checked(rows.keys),
        "/n_tokens": _checked(rows.n_tokens.astype("<i4")),
        "/truncated": _checked(rows.truncated.astype(np.uint8)),
    }
    for block, values in rows.blocks.items():
        little_endian = values.astype(values.dtype.newbyteorder("<"), copy=False)
        datasets[dataset_name(block)] = _checked(little_endian)
    attributes = {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": fingerprint,
        "n": len(rows),
        "provenance": json.dumps(dict(provenance), sort_keys=True),
    }
    return hdf5_image(datasets, attributes)


def _checked(values: NDArray[Any]) -> Dataset:
    values = np.ascontiguousarray(values)
    return Dataset.of(values, **{CHECKSUM: xxhash.xxh3_64_hexdigest(values.data)})
