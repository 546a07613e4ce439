"""Files mapped into memory, many more than a process may hold open.

Each map costs a file descriptor (:mod:`mmap` keeps one), and a bank may have thousands of
segments. So only the files used last stay mapped; another is mapped anew when it is needed.
"""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import threading
from pathlib import Path
from typing import Any
from weakref import WeakSet

from features.disk.system import max_open_files, open_read, release

#: Files that stay mapped at the most; fewer where the process may not hold twice as many open.
MOST_MAPPED = 8192

_all_mapped: WeakSet[MappedFile] = WeakSet()
_clock = itertools.count(1)
_lock = threading.Lock()


class MappedFile:
    """The bytes of a file that is never written to again.

    Parameters
    ----------
    places
        Where it may stand; the first that exists is taken.

    Raises
    ------
    FileNotFoundError
        When it stands in none of them, or is not the file that it was before.
    OSError
        When it cannot be opened.
    """

    def __init__(self, *places: Path) -> None:
        self._places = places
        self._identity: tuple[int, int, int] | None = None
        self._mapped: mmap.mmap | bytes | None = None
        #: Whatever its user derived from the map; forgotten together with it.
        self.derived: dict[str, Any] = {}
        self.last_used = 0
        self.view()

    @property
    def size(self) -> int:
        """Bytes in the file."""
        assert self._identity is not None
        return self._identity[2]

    def touch(self) -> None:
        """Count as used just now."""
        self.last_used = next(_clock)

    def view(self) -> memoryview:
        """All bytes. What is cut out of the view stays valid for as long as it is held."""
        self.touch()
        mapped = self._mapped
        if mapped is None:
            with _lock:
                _make_room()
                mapped = self._mapped = self._map()
                _all_mapped.add(self)
        return memoryview(mapped)

    def forget(self) -> None:
        """Drop the map; the next use makes another."""
        self._mapped = None
        self.derived = {}

    def _map(self) -> mmap.mmap | bytes:
        for place in self._places:
            try:
                return self._map_at(place)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                    raise
            _forget(0)  # what others hold in use stays; the rest makes room
            return self._map_at(place)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._places[0]))

    def _map_at(self, place: Path) -> mmap.mmap | bytes:
        descriptor = open_read(place)
        try:
            status = os.fstat(descriptor)
            identity = (status.st_dev, status.st_ino, status.st_size)
            if self._identity not in (None, identity):
                raise FileNotFoundError(errno.ESTALE, "another file has its name", str(place))
            self._identity = identity
            if not status.st_size:
                return b""
            return mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_READ)
        finally:
            release(descriptor)


def _make_room() -> None:
    limit = max(16, min(max_open_files() // 2, MOST_MAPPED))
    if len(_all_mapped) >= limit:
        _forget(limit // 2)


def _forget(n_kept: int) -> None:
    """Drop all maps but those used last."""
    by_use = sorted(_all_mapped, key=lambda file: file.last_used)
    for file in by_use[: max(0, len(by_use) - n_kept)]:
        file.forget()
        _all_mapped.discard(file)
