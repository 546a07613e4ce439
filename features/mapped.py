"""Files mapped into memory, many more than a process may hold open.

Each map costs a file descriptor (:mod:`mmap` keeps one), and a bank may have thousands of
segments. So only the files used last stay mapped; another is mapped anew when it is needed.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakKeyDictionary

from features.errors import BankError


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """What keeps a file or folder from being read, as a BankError; that it has gone, as it is."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise BankError(
            f"{path} cannot be read ({error.strerror or error}): mend it and call again"
        ) from error


def release(descriptor: int) -> None:
    """Close a file of which nothing more is wanted: an error on closing tells nothing."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


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
        self.view()

    @property
    def size(self) -> int:
        """Bytes in the file."""
        assert self._identity is not None
        return self._identity[2]

    def view(self) -> memoryview:
        """All bytes. What is cut out of the view stays valid for as long as it is held."""
        with _lock:
            mapped = _maps.pop(self, None)
            if mapped is None:
                mapped = self._map()
                while len(_maps) >= _limit():
                    _maps.pop(next(iter(_maps.keys())), None)
            _maps[self] = mapped  # the one used last stands last
            return memoryview(mapped)

    def _map(self) -> mmap.mmap | bytes:
        for place in self._places:
            try:
                return self._map_at(place)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM) or not len(_maps):
                    raise
            _maps.clear()  # what others hold in use stays; the rest makes room
            return self._map_at(place)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._places[0]))

    def _map_at(self, place: Path) -> mmap.mmap | bytes:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
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


def _limit() -> int:
    """How many files to keep mapped: half of the descriptors that the process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, min(soft // 2, 8192))


_maps: WeakKeyDictionary[MappedFile, mmap.mmap | bytes] = WeakKeyDictionary()
_lock = threading.Lock()
