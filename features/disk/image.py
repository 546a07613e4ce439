"""The bytes of a segment, or of any HDF5 file: laid out by libhdf5 in memory, written by us.

libhdf5 never writes to the disk: on a full one it can crash, or lose the error and leave a wrong
file behind. Here it writes its metadata into memory and says where each dataset stands; the data
go straight from the caller's arrays to the file, by plain writes whose errors the operating
system reports (:mod:`features.disk.commit`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import h5py
import numpy as np
import xxhash
from numpy.typing import NDArray

from features.disk.format import ALIGNMENT, CHECKSUM, FORMAT, VERSION, canonical_json, dataset_name
from features.disk.header import header_bytes, header_room
from features.disk.manifest import Manifest
from features.selection import Block

#: As long as any offset or size will ever be.
_LONGEST_NUMBER = 10**15


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of bytes in a file; ``pieces`` gives them in order, once."""

    offset: int
    size: int
    pieces: Iterable[memoryview]


@dataclass(frozen=True, slots=True)
class Image:
    """The bytes of a file: extents in ascending order, zeros in between.

    ``offsets`` says where each dataset begins.
    """

    size: int
    extents: Sequence[Extent]
    offsets: Mapping[str, int] = field(default_factory=dict)

    def with_user_block(self, data: bytes) -> Image:
        """The same with ``data`` at its head, in the room that was left there."""
        head = Extent(0, len(data), [memoryview(data)])
        return replace(self, extents=[head, *self.extents])

    def pieces(self) -> Iterator[memoryview]:
        """All bytes from first to last, the zeros included."""
        position = 0
        for extent in [*self.extents, Extent(self.size, 0, ())]:
            if extent.offset > position:
                yield memoryview(bytes(extent.offset - position))
            position = extent.offset
            for piece in extent.pieces:
                position += len(piece)
                yield piece
            if position != extent.offset + extent.size:
                raise ValueError("a dataset's pieces do not add up to its size")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A contiguous dataset to be; ``pieces`` gives its bytes in C order."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pieces: Iterable[memoryview]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, values: NDArray[Any], **attributes: Any) -> Dataset:
        """A dataset with the content of an array."""
        values = np.ascontiguousarray(values)
        data = values.view(np.uint8).data.cast("B")
        return cls(values.shape, values.dtype, [data], attributes)


def hdf5_image(
    datasets: Mapping[str, Dataset], attributes: Mapping[str, Any], *, user_block: int = 0
) -> Image:
    """Lay out datasets, each contiguous and aligned to 4 KiB, and attributes of the root.

    The first ``user_block`` bytes (none, or a power of two from 512) are left to the caller.
    """
    skeleton = _Skeleton()
    extents: list[Extent] = []
    offsets: dict[str, int] = {}
    with h5py.File(
        skeleton,
        "w",
        libver=("v110", "v110"),
        userblock_size=user_block,
        alignment_threshold=1,
        alignment_interval=ALIGNMENT,
    ) as file:
        file.attrs.update(attributes)
        for name, dataset in datasets.items():
            offset = offsets[name] = _allocate(file, name, dataset)
            size = int(np.prod(dataset.shape)) * dataset.dtype.itemsize
            if size:
                extents.append(Extent(offset, size, dataset.pieces))
    every = sorted([*skeleton.extents(), *extents], key=lambda extent: extent.offset)
    return Image(skeleton.size, every, offsets)


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


def _allocate(file: h5py.File, name: str, dataset: Dataset) -> int:
    """Create a dataset with room but no data; where its data begin."""
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_layout(h5py.h5d.CONTIGUOUS)
    layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    layout.set_obj_track_times(False)  # the same rows are the same bytes at any time
    group, _, leaf = name.rpartition("/")
    parent = file.require_group(group or "/")
    space = h5py.h5s.create_simple(dataset.shape)
    kind = h5py.h5t.py_create(dataset.dtype, logical=True)
    created = h5py.Dataset(h5py.h5d.create(parent.id, leaf.encode(), kind, space, layout))
    created.attrs.update(dataset.attributes)
    offset = created.id.get_offset()
    if offset is None and 0 in dataset.shape:
        return 0  # nothing to write anywhere
    assert offset is not None, f"HDF5 gave {name} no room"
    assert offset % ALIGNMENT == 0, f"HDF5 put {name} at {offset}"
    return int(offset)


class _Skeleton(io.RawIOBase):
    """A file that keeps what libhdf5 writes (metadata only) and not the gaps in between."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._position = 0
        self.size = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + (0, self._position, self.size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def truncate(self, size: int | None = None) -> int:
        self.size = self._position if size is None else size
        return self.size

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for done, page, start, stop in self._spans(len(view)):
            block = self._pages.setdefault(page, bytearray(ALIGNMENT))
            block[start:stop] = view[done : done + stop - start]
        self._position += len(view)
        self.size = max(self.size, self._position)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        size = min(len(view), max(self.size - self._position, 0))
        for done, page, start, stop in self._spans(size):
            view[done : done + stop - start] = self._pages.get(page, bytes(ALIGNMENT))[start:stop]
        self._position += size
        return size

    def _spans(self, size: int) -> list[tuple[int, int, int, int]]:
        """``(bytes done, page, start in page, stop in page)`` of ``size`` bytes from here."""
        spans, done = [], 0
        while done < size:
            page, start = divmod(self._position + done, ALIGNMENT)
            stop = min(ALIGNMENT, start + size - done)
            spans.append((done, page, start, stop))
            done += stop - start
        return spans

    def extents(self) -> list[Extent]:
        """Every page written, cut at the file's end."""
        cut = [
            (page * ALIGNMENT, memoryview(data)[: max(self.size - page * ALIGNMENT, 0)])
            for page, data in self._pages.items()
        ]
        return [Extent(offset, len(data), [data]) for offset, data in cut]
