"""The image of a segment: rows in, the bytes of an HDF5 file out.

libhdf5 never writes to the disk: on a full one it can crash, or lose the error and leave a wrong
file behind. Here it lays out the file in memory (its metadata, and where each dataset stands),
and the data go from the caller's arrays to the file by plain writes whose errors the operating
system reports (:mod:`features.commit`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import xxhash
from numpy.typing import NDArray

from features.format import ALIGNMENT, CHECKSUM, FORMAT, VERSION
from features.selection import Block

Extent = tuple[int, memoryview]


@dataclass(frozen=True, slots=True)
class Image:
    """The bytes of a file: ``(offset, bytes)`` in ascending order, zeros in between."""

    size: int
    extents: list[Extent]

    def pieces(self) -> Iterator[memoryview]:
        """All bytes from first to last, the zeros included."""
        at = 0
        for offset, data in [*self.extents, (self.size, memoryview(b""))]:
            if offset > at:
                yield memoryview(bytes(offset - at))
            yield data
            at = offset + len(data)


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
    blocks: Mapping[Block, NDArray[np.floating[Any]]]

    def __len__(self) -> int:
        return len(self.keys)


def dataset_name(block: Block) -> str:
    """Where a block stands in the file, such as ``/mean/12``."""
    return f"/{block.pooling}" if block.layer is None else f"/{block.pooling}/{block.layer}"


def segment_image(rows: Rows, fingerprint: str, provenance: Mapping[str, Any]) -> Image:
    """The bytes of a segment, laid out without copying the blocks."""
    datasets: dict[str, NDArray[Any]] = {
        "/key": np.ascontiguousarray(rows.keys),
        "/n_tokens": np.ascontiguousarray(rows.n_tokens, dtype="<i4"),
        "/truncated": np.ascontiguousarray(rows.truncated, dtype=np.uint8),
    }
    for block, values in rows.blocks.items():
        datasets[dataset_name(block)] = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    skeleton = _Skeleton()
    extents: list[Extent] = []
    with h5py.File(
        skeleton, "w", libver=("v110", "v110"), alignment_threshold=1,
        alignment_interval=ALIGNMENT,
    ) as file:  # fmt: skip
        file.attrs.update(
            {"format": FORMAT, "version": VERSION, "fingerprint": fingerprint, "n": len(rows),
             "provenance": json.dumps(dict(provenance), sort_keys=True)}
        )  # fmt: skip
        for name, values in datasets.items():
            data = values.data.cast("B")
            offset = _allocate(file, name, values, xxhash.xxh3_64_hexdigest(data))
            extents.append((offset, data))
    every = sorted([*skeleton.extents(), *extents], key=lambda extent: extent[0])
    return Image(skeleton.size, every)


def _allocate(file: h5py.File, name: str, values: NDArray[Any], checksum: str) -> int:
    """Create a dataset with room but no data; where its data begin."""
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_layout(h5py.h5d.CONTIGUOUS)
    layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    group, _, leaf = name.rpartition("/")
    parent = file.require_group(group or "/")
    space = h5py.h5s.create_simple(values.shape)
    kind = h5py.h5t.py_create(values.dtype)
    dataset = h5py.Dataset(h5py.h5d.create(parent.id, leaf.encode(), kind, space, layout))
    dataset.attrs[CHECKSUM] = checksum
    offset = dataset.id.get_offset()
    assert offset is not None, f"HDF5 gave {name} no room"
    assert offset % ALIGNMENT == 0, f"HDF5 put {name} at {offset}"
    return int(offset)


class _Skeleton(io.RawIOBase):
    """A file that keeps what libhdf5 writes (metadata only) and not the gaps in between."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._at = 0
        self.size = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def truncate(self, size: int | None = None) -> int:
        self.size = self._at if size is None else size
        return self.size

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for done, page, start, stop in self._spans(len(view)):
            block = self._pages.setdefault(page, bytearray(ALIGNMENT))
            block[start:stop] = view[done : done + stop - start]
        self._at += len(view)
        self.size = max(self.size, self._at)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        size = min(len(view), max(self.size - self._at, 0))
        for done, page, start, stop in self._spans(size):
            view[done : done + stop - start] = self._pages.get(page, bytes(ALIGNMENT))[start:stop]
        self._at += size
        return size

    def _spans(self, size: int) -> list[tuple[int, int, int, int]]:
        """``(bytes done, page, start in page, stop in page)`` of ``size`` bytes from here."""
        spans, done = [], 0
        while done < size:
            page, start = divmod(self._at + done, ALIGNMENT)
            stop = min(ALIGNMENT, start + size - done)
            spans.append((done, page, start, stop))
            done += stop - start
        return spans

    def extents(self) -> list[Extent]:
        """Every page written, cut at the file's end."""
        return [
            (page * ALIGNMENT, memoryview(data)[: max(self.size - page * ALIGNMENT, 0)])
            for page, data in sorted(self._pages.items())
        ]
