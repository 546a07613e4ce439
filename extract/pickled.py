"""Tensors out of what ``torch.save`` wrote, without torch and without running the pickle.

A pickle is a program. This reader lets it call three things, which are stand-ins written here:
an ordered dictionary, the rebuilding of a tensor from a storage, and the marking of a tensor as a
parameter. Whatever else it names, nothing is imported or called, and the file is refused.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from extract.weights import ITEM_SIZES, StoredTensor, map_bytes
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
        return {str(name): _stored(tensor, find) for name, tensor in state.items()}
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


def _stored(tensor: Any, find: Callable[[str], Bytes]) -> StoredTensor:
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
