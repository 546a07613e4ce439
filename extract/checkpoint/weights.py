"""The weights in a checkpoint's files: their identity, and the tensors themselves.

The digest is a SHA-256 over every tensor as it stands in the files: sorted by name, each name,
dtype, shape and bytes behind its length. Paths, dates, the order in the file and the file's
format leave no trace, so that ``model.safetensors`` and ``pytorch_model.bin`` of the same state
dict have one digest; what loading has to invent (a pooler that is missing) has none.

Safetensors are hashed without torch. What ``torch.save`` wrote is a pickle, and torch's own
reader, which runs no code from it, is the one that reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from extract.checkpoint.torch_file import Shapes, read_torch
from features.errors import EncoderError

if TYPE_CHECKING:
    from torch import Tensor

#: Bytes of one element, by the dtype names of the safetensors format.
ITEM_SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip

#: The same names, by those of torch.
DTYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2", "uint16": "U16", "int16": "I16", "float16": "F16",
    "bfloat16": "BF16", "uint32": "U32", "int32": "I32", "float32": "F32", "uint64": "U64",
    "int64": "I64", "float64": "F64",
}  # fmt: skip

#: A safetensors header beyond this is no header (the format's own limit).
MAX_HEADER_BYTES = 100_000_000


class StoredTensor(NamedTuple):
    """One tensor as a checkpoint file holds it."""

    dtype: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]
    """Its bytes, C-contiguous and little-endian; a view of the mapped file where possible."""


def weights_digest(files: Iterable[Path], shapes: Shapes | None = None) -> str:
    """SHA-256, in hexadecimal, of all tensors in a checkpoint's weight files.

    Parameters
    ----------
    files
        One file, or all shards of a checkpoint; ``.safetensors``, or what ``torch.save`` wrote.
    shapes
        As of :func:`read_state`.

    Raises
    ------
    EncoderError
        When a file is damaged, or is a pickle that holds anything but plain tensors.
    """
    tensors: dict[str, StoredTensor] = {}
    for path in files:
        try:
            if path.suffix == ".safetensors":
                tensors |= _stored_in_safetensors(path)
            else:
                tensors |= {
                    name: _stored(tensor) for name, tensor in read_state(path, shapes).items()
                }
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


def read_state(path: Path, shapes: Shapes | None = None) -> dict[str, Tensor]:
    """The tensors of a state dict, on the CPU; mapped from the file where its format allows.

    Parameters
    ----------
    path
        ``.safetensors``, or what ``torch.save`` wrote: a zip file, or the format before it.
    shapes
        Of the encoder's own weights, for a file that may hold other things beside the state dict
        (:mod:`extract.checkpoint.torch_file`); None for one that may not.

    Raises
    ------
    EncoderError
        When the file is damaged, or holds no one mapping of plain tensors; no code in it is run.
    """
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return read_torch(path, DTYPES, shapes)


def _stored(tensor: Tensor) -> StoredTensor:
    import torch

    whole = tensor.detach().contiguous()
    # Not reshaped: a single element may keep the stride of the tensor that it was cut from.
    flat = whole.as_strided((whole.numel(),), (1,))
    return StoredTensor(DTYPES[_dtype(tensor)], tuple(tensor.shape), flat.view(torch.uint8).numpy())


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _stored_in_safetensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file: a length, a JSON header, then all bytes."""
    content = _mapped(path)
    try:
        size = int.from_bytes(content[:8].tobytes(), "little")
        if not 2 <= size <= min(len(content) - 8, MAX_HEADER_BYTES):
            raise ValueError("its header does not fit")
        header = json.loads(content[8 : 8 + size].tobytes())
        header.pop("__metadata__", None)
        body = content[8 + size :]
        return {name: _cut_out(body, entry) for name, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EncoderError(
            f"{path} is no intact safetensors file ({error}): fetch or save the checkpoint again"
        ) from None


def _cut_out(body: NDArray[np.uint8], entry: dict[str, list[int]]) -> StoredTensor:
    """The tensor that an entry of the header describes."""
    dtype, shape = str(entry["dtype"]), tuple(map(int, entry["shape"]))
    start, end = entry["data_offsets"]
    expected = int(np.prod(shape, dtype=np.int64)) * ITEM_SIZES[dtype]
    if not 0 <= start <= end <= len(body) or end - start != expected:
        raise ValueError("a tensor reaches beyond its end")
    return StoredTensor(dtype, shape, body[start:end])


def _mapped(path: Path) -> NDArray[np.uint8]:
    """A file's bytes, mapped and not read."""
    if not path.stat().st_size:
        return np.empty(0, np.uint8)
    return np.memmap(path, np.uint8, "r")
