"""Reading one segment: metadata through HDF5 once, numbers from a map of the file, checked."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xxhash
from numpy.typing import NDArray

from features.blocks import Block, dataset_name
from features.errors import CorruptSegment
from features.format import CHECKSUM, FORMAT, READABLE
from features.keys import KEY_SIZE


class Segment:
    """An open segment. Its file may move or be unlinked meanwhile: the map stays.

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
    FileNotFoundError
        When the file has gone.
    """

    def __init__(self, path: Path, fingerprint: str, blocks: tuple[Block, ...]) -> None:
        self.path = path
        self.blocks = blocks
        self._checked: set[str] = set()
        with path.open("rb") as file:
            self.size = os.fstat(file.fileno()).st_size
            if self.size == 0:
                raise self._corrupt("is empty")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            try:
                with h5py.File(file, "r", locking=False) as h5:
                    self._read_layout(h5, fingerprint, blocks)
            except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
                raise self._corrupt(f"cannot be read ({error})") from error
        self.dtype: np.dtype[Any] = self._layout[dataset_name(blocks[0])][1]

    def _read_layout(self, h5: h5py.File, fingerprint: str, blocks: tuple[Block, ...]) -> None:
        if h5.attrs["format"] != FORMAT or int(h5.attrs["version"]) not in READABLE:
            raise self._corrupt("is no segment that this version of layerbank reads")
        if h5.attrs["fingerprint"] != fingerprint:
            raise self._corrupt("belongs to another bank")
        self.n = int(h5.attrs["n"])
        self.provenance = str(h5.attrs["provenance"])
        self._layout: dict[str, tuple[int, np.dtype[Any], tuple[int, ...], str]] = {}
        for name in ("/key", "/n_tokens", "/truncated", *map(dataset_name, blocks)):
            dataset = h5[name]
            offset, shape = dataset.id.get_offset(), tuple(dataset.shape)
            if offset is None or shape[0] != self.n or offset + dataset.nbytes > self.size:
                raise self._corrupt(f"has no whole {name}")
            self._layout[name] = (offset, dataset.dtype, shape, str(dataset.attrs[CHECKSUM]))
        if self._layout["/key"][2] != (self.n, KEY_SIZE):
            raise self._corrupt("has keys of another size")

    def _corrupt(self, what: str) -> CorruptSegment:
        return CorruptSegment(
            f"{self.path} {what}: run `layerbank verify {self.path.parent}`", self.path
        )

    def _array(self, name: str) -> NDArray[Any]:
        """A dataset as a read-only view of the file, its hash checked on first use."""
        offset, dtype, shape, checksum = self._layout[name]
        size = int(np.prod(shape)) * dtype.itemsize
        view = memoryview(self._map)[offset : offset + size]
        if name not in self._checked:
            if xxhash.xxh3_64_hexdigest(view) != checksum:
                raise self._corrupt(f"holds damaged numbers in {name}")
            self._checked.add(name)
        return np.frombuffer(view, dtype=dtype).reshape(shape)

    def check(self) -> None:
        """Read every dataset; CorruptSegment when one is not what was written."""
        for name in self._layout:
            self._array(name)

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
