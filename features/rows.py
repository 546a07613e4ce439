"""Rows on their way to disk: what one segment will hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from features.blocks import Block, dataset_name
from features.format import CHECKSUM, FORMAT, VERSION, canonical_json
from features.header import header_bytes, header_room
from features.image import Dataset, Image, hdf5_image
from features.manifest import Manifest

#: As long as any offset or size will ever be.
_LONGEST_NUMBER = 10**15


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


def segment_image(rows: Rows, manifest: Manifest, provenance: Mapping[str, Any]) -> Image:
    """The bytes of a segment, laid out without copying the blocks."""
    datasets = {
        "/key": _checked(rows.keys),
        "/n_tokens": _checked(rows.n_tokens.astype("<i4")),
        "/truncated": _checked(rows.truncated.astype(np.uint8)),
    }
    for block, values in rows.blocks.items():
        little_endian = values.astype(values.dtype.newbyteorder("<"), copy=False)
        datasets[dataset_name(block)] = _checked(little_endian)
    facts = {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": manifest.fingerprint,
        "n": len(rows),
        "provenance": dict(provenance),
        "setup": dict(manifest.setup),
        "source": dict(manifest.source),
    }
    attributes = {
        name: canonical_json(value) if isinstance(value, dict) else value
        for name, value in facts.items()
    }
    # The room must be known before anything has a place, and the header names the places.
    anywhere = dict.fromkeys(datasets, _LONGEST_NUMBER)
    room = header_room(len(_header(facts, datasets, anywhere, _LONGEST_NUMBER)))
    image = hdf5_image(datasets, attributes, user_block=room)
    return image.with_user_block(_header(facts, datasets, image.offsets, image.size))


def _header(
    facts: Mapping[str, Any],
    datasets: Mapping[str, Dataset],
    offsets: Mapping[str, int],
    size: int,
) -> bytes:
    places = {
        name: [offsets[name], dataset.dtype.str, dataset.shape, dataset.attributes[CHECKSUM]]
        for name, dataset in datasets.items()
    }
    return header_bytes({**facts, "size": size, "datasets": places})


def _checked(values: NDArray[Any]) -> Dataset:
    values = np.ascontiguousarray(values)
    return Dataset.of(values, **{CHECKSUM: xxhash.xxh3_64_hexdigest(values.data)})
