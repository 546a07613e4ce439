"""Keys that a delete looks for, and the copies of their rows beside a bank's segments."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import xxhash
from numpy.typing import NDArray

from features.disk.format import DAMAGED, RETIRED, SEGMENT_NAME
from features.disk.header import header_of
from features.disk.index import INDEX, KeyIndex, Keys
from features.disk.own_folder import OwnFolder
from features.disk.schema import Whole, refuse_other
from features.disk.segment import MOST_ROWS
from features.disk.system import sync_folder
from features.keys import KEY_SIZE

logger = logging.getLogger(__name__)


class Wanted:
    """Keys that are looked for, and which of them were found so far.

    Parameters
    ----------
    keys
        Shape ``(n, 32)``; each counts once.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = np.unique(keys, axis=0)
        self.found = np.zeros(len(self.keys), bool)
        self._index = KeyIndex.over(self.keys)

    def __len__(self) -> int:
        return len(self.keys)

    def among(self, keys: Keys) -> NDArray[np.bool_]:
        """Whether each key, shape ``(n, 32)``, is one of them; shape ``(n,)``."""
        places = self._index.find(keys)
        here = places >= 0
        self.found[places[here]] = True
        return here


@dataclass(frozen=True, slots=True)
class Copy:
    """A file of ``retired/`` or ``damaged/`` that holds rows of these keys, or may.

    Attributes
    ----------
    folder, name
        Where it stands within the bank.
    certain
        Whether its keys could be read.
    linked
        Whether its bytes have another name elsewhere, by a link or a hard link.
    """

    folder: str
    name: str
    certain: bool
    linked: bool

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}"


def copies_of(folder: Path, wanted: Wanted) -> list[Copy]:
    """Files that hold rows of these keys, or may; OSError where their folder is none or a link."""
    found: list[Copy] = []
    for place in (RETIRED, DAMAGED):
        with contextlib.suppress(FileNotFoundError), OwnFolder(folder / place) as own:
            for name in sorted(own.names()):
                with contextlib.suppress(FileNotFoundError):  # a day is over, and it has gone
                    found += _looked_at(own, place, name, wanted)
    return found


def _looked_at(own: OwnFolder, place: str, name: str, wanted: Wanted) -> Iterator[Copy]:
    if not SEGMENT_NAME.match(name) and not name.startswith(INDEX):
        return
    status = own.status(name)
    if stat.S_ISLNK(status.st_mode):
        yield Copy(place, name, certain=False, linked=True)
    elif not stat.S_ISREG(status.st_mode):
        logger.warning("%s/%s is left as it is: it is no file", place, name)
    else:
        linked = status.st_nlink > 1
        try:
            with open(own.open_read(name), "rb") as file:
                if wanted.among(keys_in(file)).any():
                    yield Copy(place, name, certain=True, linked=linked)
        except FileNotFoundError:
            raise
        except (OSError, ValueError):  # it was set aside because it is damaged, or is an index
            yield Copy(place, name, certain=False, linked=linked)


def remove_copies(folder: Path, copies: Sequence[Copy]) -> None:
    """Delete them; of a link the link itself."""
    for place in sorted({copy.folder for copy in copies}):
        with OwnFolder(folder / place) as own:
            for copy in copies:
                if copy.folder == place:
                    with contextlib.suppress(FileNotFoundError):
                        own.remove(copy.name)
        sync_folder(folder / place)


def keys_in(file: BinaryIO) -> Keys:
    """The keys of a segment that may be damaged, shape ``(n, 32)``.

    Raises
    ------
    ValueError
        They are not what was written.
    """
    header = header_of(file)
    refuse_other(header, {"n": Whole(0, MOST_ROWS), "datasets": {"/key": [object]}}, "")
    n, place = header["n"], header["datasets"]["/key"]
    if len(place) != 4 or place[1:3] != ["|u1", [n, KEY_SIZE]]:
        raise ValueError("it has no keys")
    offset, size = place[0], n * KEY_SIZE
    if type(offset) is not int or not 0 <= offset <= os.fstat(file.fileno()).st_size - size:
        raise ValueError("its keys are not whole")
    file.seek(offset)
    data = file.read(size)
    if xxhash.xxh3_64_hexdigest(data) != place[3]:
        raise ValueError("its keys are damaged")
    return np.frombuffer(data, np.uint8).reshape(n, KEY_SIZE)


def index_holds(folder: Path, wanted: Wanted) -> bool:
    """Whether the kept index lists any of these keys, or may."""
    path = folder / INDEX
    if not os.path.lexists(path) or (path.is_dir() and not path.is_symlink()):
        return False
    kept = KeyIndex.read(folder)
    return kept is None or bool(wanted.among(kept[0].keys).any())
