"""One segment: what its header says, and its numbers, all of it checked before use.

Numbers come from a map of the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from features.disk.format import FORMAT, READABLE, RETIRED, dataset_name
from features.disk.header import read_header
from features.disk.layout import ROWS, Layout
from features.disk.mapped import MappedFile
from features.disk.schema import OBJECT, refuse_other
from features.disk.system import NO_FILE, read_errors
from features.errors import BankError, CorruptSegment
from features.selection import Block

_PROVENANCE = {"provenance": OBJECT}

#: In the provenance of a compacted segment: a list of those of the segments it replaced.
COMPACTED = "compacted"

#: In the provenance of a segment: a hash of the tokens that its writer's tokenizer gives.
TOKENS = "tokens"

#: Segments, the newest first, in which that is looked for: earlier versions recorded none.
LOOKED_AT = 64


class SnapshotMoved(BankError):
    """The segments changed under a reader, or the kept index was wrong: look again."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} went away while it was read: call again")


#: Rows of a segment at the most: indices count them in four bytes.
MOST_ROWS = 2**32 - 1

_DTYPES = {name: np.dtype(name) for name in ("|u1", "<i4", "<f2", "<f4")}


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
    layout
        What the bank's segments must hold: a file of another bank is refused, and one in which
        any dataset has another type or shape.

    Raises
    ------
    CorruptSegment
        When the file is not such a segment, or was damaged.
    SnapshotMoved
        When the file has gone.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self.blocks = layout.blocks
        self._checked: set[str] = set()
        try:
            with read_errors(path):
                self._file = MappedFile(path, path.parent / RETIRED / path.name)
        except FileNotFoundError:
            if path.is_symlink():
                raise self._corrupt("is a link that leads to nothing") from None
            raise SnapshotMoved(path) from None
        except BankError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in NO_FILE:
                raise self._corrupt("is no regular file") from None
            raise
        self.size = self._file.size
        try:
            self._read_layout(self.header, layout)
        except (ValueError, LookupError, TypeError) as error:
            raise self._corrupt(f"has a damaged header ({error})") from error
        self.dtype = self._layout[layout.names[0]].dtype

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

    def _read_layout(self, header: Mapping[str, Any], layout: Layout) -> None:
        version = header["version"]
        if header["format"] != FORMAT or type(version) is not int or version not in READABLE:
            raise self._corrupt("is no segment that this version of layerbank reads")
        if header["fingerprint"] != layout.fingerprint:
            raise self._corrupt("belongs to another bank")
        if header["size"] != self.size:
            raise self._corrupt(f"has {self.size} bytes where {header['size']} were written")
        n, datasets = header["n"], header["datasets"]
        if type(n) is not int or not 0 <= n <= MOST_ROWS:
            raise ValueError("its number of rows is none")
        self.n = n
        blocks_type = datasets[layout.names[0]][1]
        if blocks_type not in layout.types:
            raise self._corrupt(f"holds numbers of type {blocks_type!r:.20}")
        self._layout: dict[str, _Place] = {}
        for name, (dtype, columns) in ROWS.items():
            self._layout[name] = self._place(name, datasets[name], dtype, (self.n, *columns))
        for name in layout.names:
            shape = (self.n, layout.hidden_size)
            self._layout[name] = self._place(name, datasets[name], blocks_type, shape)

    def _place(self, name: str, said: Sequence[Any], dtype: str, shape: tuple[int, ...]) -> _Place:
        """Where a dataset stands, if it is what it must be."""
        offset, its_dtype, its_shape, checksum = said
        if its_dtype != dtype or its_shape != [*shape]:
            raise self._corrupt(f"holds {name} of another type or shape than a bank has")
        place = _Place(offset, _DTYPES[dtype], shape, checksum)
        if type(offset) is not int or offset < 0 or place.stop > self.size:
            raise self._corrupt(f"has no whole {name}")
        return place

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
        array = np.frombuffer(view, dtype=place.dtype).reshape(place.shape)
        if name not in self._checked:
            if xxhash.xxh3_64_hexdigest(view) != place.checksum:
                raise self._corrupt(f"holds damaged numbers in {name}")
            if _is_impossible(name, array):
                raise self._corrupt(f"holds numbers in {name} that cannot be")
            self._checked.add(name)
        self._file.derived[name] = array
        return array

    def check(self) -> None:
        """Read every dataset; CorruptSegment when one is not what was written."""
        for name in self._layout:
            array = self._array(name)
            if array.dtype == np.float32 and not np.isfinite(array).all():
                raise self._corrupt(f"holds numbers in {name} that cannot be")

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the writer recorded of itself."""
        try:
            header = self.header
        except FileNotFoundError:
            raise SnapshotMoved(self.path) from None
        try:
            refuse_other(header, _PROVENANCE, "")
            provenance: dict[str, Any] = header["provenance"]
            if COMPACTED in provenance:
                refuse_other(provenance, {COMPACTED: [OBJECT]}, "provenance")
        except ValueError as error:
            raise self._corrupt(f"has a damaged header ({error})") from None
        return provenance

    @property
    def made_by(self) -> list[Mapping[str, Any]]:
        """What wrote its rows: its provenance, or those of the segments that it replaced."""
        provenance = self.provenance
        made: list[Mapping[str, Any]] = provenance.get(COMPACTED, [provenance])
        return made

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


def _is_impossible(name: str, array: NDArray[Any]) -> bool:
    """Whether a dataset holds what would be taken for another number later on.

    The bits of a float16 that is infinite or no number are the largest of its sign; widening it
    (:func:`features.disk.gather.widen`) would give a finite one. A float32 is copied as it is.
    """
    if not array.size:
        return False
    if name == "/n_tokens":
        return bool(array.min() < 0)
    if name == "/truncated":
        return bool(array.max() > 1)
    if array.dtype != np.float16:
        return False
    return bool(array.view("<i2").max() >= 0x7C00 or array.view("<u2").max() >= 0xFC00)
