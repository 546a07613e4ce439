"""One segment: the header in which it says what it holds, and its numbers, checked.

The header stands in the file's user block, in front of the HDF5 part: a line with a mark, the
hash and the length of what follows, then canonical JSON. Numbers come from a map of the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from features.disk.format import ALIGNMENT, FORMAT, READABLE, RETIRED, canonical_json, dataset_name
from features.disk.mapped import MappedFile
from features.disk.system import read_errors
from features.errors import BankError, CorruptSegment
from features.keys import KEY_SIZE
from features.selection import Block

MAGIC = b"layerbank-segment"

#: The longest first line there can be.
_FIRST_LINE = 64

_ROW_DTYPES = {"/key": "|u1", "/n_tokens": "<i4", "/truncated": "|u1"}
_BLOCK_DTYPES = ("<f2", "<f4")


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


class SnapshotMoved(BankError):
    """The segments changed under a reader, or the kept index was wrong: look again."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} went away while it was read: call again")


class _Place(NamedTuple):
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    checksum: str

    @property
    def stop(self) -> int:
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


class Segment:
    """An open segment.

    Its file may move to ``retired/`` meanwhile. libhdf5 takes no part in reading: what it would
    do with damaged metadata is anyone's guess, and opening a file with it takes 100 times longer.

    Parameters
    ----------
    path
        The file.
    fingerprint
        The bank's; a file that carries another is refused.
    blocks
        The bank's blocks; each must be there.

    Raises
    ------
    CorruptSegment
        When the file is not such a segment, or was damaged.
    SnapshotMoved
        When the file has gone.
    """

    def __init__(self, path: Path, fingerprint: str, blocks: tuple[Block, ...]) -> None:
        self.path = path
        self.blocks = blocks
        self._checked: set[str] = set()
        try:
            with read_errors(path):
                self._file = MappedFile(path, path.parent / RETIRED / path.name)
        except FileNotFoundError:
            raise SnapshotMoved(path) from None
        self.size = self._file.size
        try:
            self._read_layout(self.header, fingerprint)
        except (ValueError, KeyError, TypeError) as error:
            raise self._corrupt(f"has a damaged header ({error})") from error
        self.dtype = self._layout[dataset_name(blocks[0])].dtype

    @property
    def n_data_bytes(self) -> int:
        """Bytes of its numbers. A file of few rows is mostly header and alignment."""
        return sum(place.stop - place.offset for place in self._layout.values())

    @property
    def header(self) -> dict[str, Any]:
        """What the file says of itself; read anew, since thousands kept would fill memory."""
        return read_header(self._file.view())

    def forget(self) -> None:
        """Drop the map of the file, so that its pages no longer count as this process's."""
        self._file.forget()

    def _read_layout(self, header: Mapping[str, Any], fingerprint: str) -> None:
        if header["format"] != FORMAT or header["version"] not in READABLE:
            raise self._corrupt("is no segment that this version of layerbank reads")
        if header["fingerprint"] != fingerprint:
            raise self._corrupt("belongs to another bank")
        if header["size"] != self.size:
            raise self._corrupt(f"has {self.size} bytes where {header['size']} were written")
        self.n = int(header["n"])
        self._layout: dict[str, _Place] = {}
        for name in (*_ROW_DTYPES, *map(dataset_name, self.blocks)):
            offset, dtype, shape, checksum = header["datasets"][name]
            place = _Place(int(offset), np.dtype(dtype), tuple(map(int, shape)), str(checksum))
            fits = shape[0] == self.n and place.offset >= 0 and place.stop <= self.size
            if not fits or dtype not in (_ROW_DTYPES.get(name, dtype), *_BLOCK_DTYPES):
                raise self._corrupt(f"has no whole {name}")
            self._layout[name] = place
        if self._layout["/key"].shape != (self.n, KEY_SIZE):
            raise self._corrupt("has keys of another size")

    def _corrupt(self, what: str) -> CorruptSegment:
        return CorruptSegment(
            f"{self.path} {what}: run `layerbank verify {self.path.parent}`", self.path
        )

    def bytes(self) -> memoryview:
        """The whole file."""
        try:
            with read_errors(self.path):
                return self._file.view()
        except FileNotFoundError:
            raise SnapshotMoved(self.path) from None

    def _array(self, name: str) -> NDArray[Any]:
        """A dataset as a read-only view of the file, its hash checked on first use."""
        array: NDArray[Any] | None = self._file.derived.get(name)
        if array is not None:
            self._file.touch()
            return array
        place = self._layout[name]
        view = self.bytes()[place.offset : place.stop]
        if name not in self._checked:
            if xxhash.xxh3_64_hexdigest(view) != place.checksum:
                raise self._corrupt(f"holds damaged numbers in {name}")
            self._checked.add(name)
        array = np.frombuffer(view, dtype=place.dtype).reshape(place.shape)
        self._file.derived[name] = array
        return array

    def check(self) -> None:
        """Read every dataset; CorruptSegment when one is not what was written."""
        for name in self._layout:
            self._array(name)

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the writer recorded of itself."""
        try:
            return dict(self.header["provenance"])
        except FileNotFoundError:
            raise SnapshotMoved(self.path) from None

    @property
    def keys(self) -> NDArray[np.uint8]:
        """Keys of the rows, shape ``(n, 32)``."""
        return self._array("/key")

    @property
    def n_tokens(self) -> NDArray[np.int32]:
        """Tokens of each row, shape ``(n,)``."""
        return self._array("/n_tokens")

    @property
    def truncated(self) -> NDArray[np.uint8]:
        """1 where a row's text was cut off, shape ``(n,)``."""
        return self._array("/truncated")

    def block(self, block: Block) -> NDArray[Any]:
        """One block, shape ``(n, hidden)``, in the segment's dtype."""
        return self._array(dataset_name(block))
