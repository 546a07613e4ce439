"""The identity of a checkpoint's weights, read from its files without torch.

The digest is a SHA-256 over every tensor as it stands in the files: sorted by name, each name,
dtype, shape and bytes behind its length. Paths, dates, the order in the file and the file's
format leave no trace, so that ``model.safetensors`` and ``pytorch_model.bin`` of the same state
dict have one digest; what loading has to invent (a pooler that is missing) has none.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.errors import EncoderError

#: First object in a file from before torch 1.6, and the only version there ever was.
LEGACY_MAGIC, LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001


DTYPES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8",
    "ByteStorage": "U8", "BoolStorage": "BOOL",
}  # fmt: skip


Bytes = NDArray[np.uint8]


class _Storage(NamedTuple):
    dtype: str
    key: str


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor has no storage")
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _rebuild_parameter(tensor: _Tensor, *_: object) -> _Tensor:
    return tensor


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", storage): dtype for storage, dtype in DTYPES.items()},
}


class _Reader(pickle.Unpickler):
    """Builds nothing but dictionaries and descriptions of tensors."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, _numel, *view = pid
        if kind != "storage" or dtype not in ITEM_SIZES or any(view):
            raise pickle.UnpicklingError("an unknown kind of storage")
        return _Storage(dtype, str(key))


class _Refused(Exception):
    """The pickle names something that no state dict needs."""


def read_pickled(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a ``pytorch_model.bin``, in torch's zip format or the one before it.

    Raises
    ------
    EncoderError
        When the file is damaged, or names anything but plain tensors.
    """
    read = _read_zip if zipfile.is_zipfile(path) else _read_legacy
    try:
        state, find = read(path)
        if not isinstance(state, dict):
            raise ValueError("it holds no dictionary")
        return {str(name): _stored_pickled(tensor, find) for name, tensor in state.items()}
    except _Refused as error:
        raise EncoderError(
            f"{path} was refused: its pickle names {error}, which no weights need and which could "
            "run code; use a safetensors version of the checkpoint"
        ) from None
    except OSError:
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise EncoderError(
            f"{path} is no intact state dict ({error}): save the checkpoint again, as safetensors"
        ) from None


def _read_zip(path: Path) -> tuple[Any, Callable[[str], Bytes]]:
    content = map_bytes(path)
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        (pickle_name,) = (name for name in entries if name.endswith("/data.pkl"))
        root = pickle_name.removesuffix("data.pkl")
        order = entries.get(f"{root}byteorder")
        if order and archive.read(order) != b"little":
            raise ValueError("it was written on a big-endian machine")
        state = _Reader(io.BytesIO(archive.read(pickle_name))).load()

    def find(key: str) -> Bytes:
        # Mapped and not unzipped: torch stores plainly, and may leave the checksums out.
        info = entries[f"{root}data/{key}"]
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError("it is compressed")
        header = content[info.header_offset : info.header_offset + 30].tobytes()
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        start = info.header_offset + 30 + names
        return content[start : start + info.file_size]

    return state, find


def _read_legacy(path: Path) -> tuple[Any, Callable[[str], Bytes]]:
    content = map_bytes(path)
    with path.open("rb") as file:
        if (_load(file), _load(file)) != (LEGACY_MAGIC, LEGACY_VERSION):
            raise ValueError("it was not written by torch.save")
        if not _load(file)["little_endian"]:
            raise ValueError("it was written on a big-endian machine")
        reader = _Legacy(file)
        state = reader.load()
        keys, start = _load(file), file.tell()
    spans: dict[str, tuple[int, int]] = {}
    for key in keys:
        numel = int.from_bytes(content[start : start + 8].tobytes(), "little")
        end = start + 8 + numel * ITEM_SIZES[reader.dtypes[str(key)]]
        spans[str(key)] = (start + 8, end)
        start = end
    return state, lambda key: content[slice(*spans[key])]


class _Legacy(_Reader):
    """Remembers each storage's dtype: there, the bytes follow without one."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.dtypes: dict[str, str] = {}

    def persistent_load(self, pid: Any) -> _Storage:
        storage = super().persistent_load(pid)
        self.dtypes[storage.key] = storage.dtype
        return storage


def _load(file: IO[bytes]) -> Any:
    return _Reader(file).load()


def _stored_pickled(tensor: Any, find: Callable[[str], Bytes]) -> StoredTensor:
    if not isinstance(tensor, _Tensor):
        raise ValueError("it holds something that is no tensor")
    (dtype, key), offset, shape, strides = tensor
    size = ITEM_SIZES[dtype]
    data = find(key)
    if any(number < 0 for number in (offset, *shape, *strides)):
        raise ValueError("a tensor has a negative size")
    n = int(np.prod(shape, dtype=np.int64))
    last = offset + sum((d - 1) * s for d, s in zip(shape, strides, strict=True)) if n else 0
    if n and (last + 1) * size > len(data):
        raise ValueError("a tensor reaches beyond its storage")
    contiguous = tuple(int(np.prod(shape[i + 1 :], dtype=np.int64)) for i in range(len(shape)))
    if n == 0 or strides == contiguous:
        return StoredTensor(dtype, shape, data[offset * size : (offset + n) * size])
    # A transposed or strided tensor: gather its elements (of `size` bytes) in C order.
    items = data[: len(data) // size * size].view(f"V{size}")[offset:]
    gathered = np.lib.stride_tricks.as_strided(items, shape, tuple(s * size for s in strides))
    return StoredTensor(dtype, shape, np.ascontiguousarray(gathered).view(np.uint8).reshape(-1))


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
    from extract.checkpoint.weights import read_pickled

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
