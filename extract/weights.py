"""The identity of a checkpoint's weights, read from its files without torch.

The digest is a SHA-256 over every tensor as it stands in the files: sorted by name, each name,
dtype, shape and bytes behind its length. Paths, dates, the order in the file and the file's
format leave no trace, so that ``model.safetensors`` and ``pytorch_model.bin`` of the same state
dict have one digest; what loading has to invent (a pooler that is missing) has none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.errors import EncoderError

#: Bytes of one element, by the dtype names of the safetensors format.
ITEM_SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip

#: A safetensors header beyond this is no header (the format's own limit).
MAX_HEADER_BYTES = 100_000_000


class StoredTensor(NamedTuple):
    """One tensor as a checkpoint file holds it."""

    dtype: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]
    """Its bytes, C-contiguous and little-endian; a view of the mapped file where possible."""


def weights_digest(files: Iterable[Path]) -> str:
    """SHA-256, in hexadecimal, of all tensors in a checkpoint's weight files.

    Parameters
    ----------
    files
        One file, or all shards of a checkpoint; ``.safetensors``, or what ``torch.save`` wrote.

    Raises
    ------
    EncoderError
        When a file is damaged, or is a pickle that holds anything but plain tensors.
    """
    from extract.pickled import read_pickled

    tensors: dict[str, StoredTensor] = {}
    for path in files:
        is_safe = path.suffix == ".safetensors"
        try:
            tensors |= read_safetensors(path) if is_safe else read_pickled(path)
        except OSError as error:
            raise EncoderError(
                f"the weights {path} cannot be read ({error.strerror or error})"
            ) from None
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        head = json.dumps([name, tensor.dtype, tensor.shape, tensor.data.nbytes]).encode()
        digest.update(len(head).to_bytes(8, "little"))
        digest.update(head)
        digest.update(tensor.data.data)
    return digest.hexdigest()


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file: a length, a JSON header, then all bytes."""
    content = map_bytes(path)
    try:
        size = int.from_bytes(content[:8].tobytes(), "little")
        if not 2 <= size <= min(len(content) - 8, MAX_HEADER_BYTES):
            raise ValueError("its header does not fit")
        header = json.loads(content[8 : 8 + size].tobytes())
        header.pop("__metadata__", None)
        body = content[8 + size :]
        return {name: _stored(entry, body) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EncoderError(
            f"{path} is no intact safetensors file ({error}): fetch or save the checkpoint again"
        ) from None


def _stored(entry: dict[str, list[int]], body: NDArray[np.uint8]) -> StoredTensor:
    dtype, shape = str(entry["dtype"]), tuple(map(int, entry["shape"]))
    start, end = entry["data_offsets"]
    expected = int(np.prod(shape, dtype=np.int64)) * ITEM_SIZES[dtype]
    if not 0 <= start <= end <= len(body) or end - start != expected:
        raise ValueError("a tensor reaches beyond its end")
    return StoredTensor(dtype, shape, body[start:end])


def map_bytes(path: Path) -> NDArray[np.uint8]:
    """A file's bytes, mapped and not read."""
    if not path.stat().st_size:
        return np.empty(0, np.uint8)
    return np.memmap(path, np.uint8, "r")
