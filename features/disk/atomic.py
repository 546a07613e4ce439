"""Files that appear under their name whole, or not at all.

A bank's own files are written to a temporary file that is locked while its writer lives, so that
anyone may sweep away those of the dead. Other files take the place of what stood under their name
when all has been written.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import xxhash

from features.disk.system import (
    lock,
    open_new,
    open_read,
    refuse_writing_banks,
    release,
    sync,
    sync_folder,
)
from features.errors import CommitError

logger = logging.getLogger(__name__)

#: How the name of a bank's temporary file begins.
TEMPORARY = ".writing-"

#: Bytes of a name that temporary names begin with as it is.
_LONGEST_STEM = 160

#: Where locks do not work (some network file systems), a temporary file this old is dead.
ABANDONED_SECONDS = 24 * 3600


@contextlib.contextmanager
def locked_temporary(folder: Path) -> Iterator[tuple[int, Path]]:
    """A new file, ``(descriptor, path)``, known to be in use; gone at the end unless renamed.

    Raises
    ------
    BankError
        Where the operating system only reads banks.
    """
    refuse_writing_banks(folder)
    while True:
        path = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        descriptor = open_new(path)
        try:
            with contextlib.suppress(OSError):  # no locks here: age decides (sweep)
                lock(descriptor)
            if os.fstat(descriptor).st_nlink:  # a sweep may come between creation and lock
                yield descriptor, path
                return
        finally:
            try:
                with contextlib.suppress(OSError):
                    os.unlink(path)
            finally:
                release(descriptor)


def sweep(folder: Path) -> None:
    """Remove the temporary files of writers that are dead."""
    with contextlib.suppress(OSError):  # a folder that refuses now is no worse for it
        for name in os.listdir(folder):
            if name.startswith(TEMPORARY) and is_abandoned(folder / name, remove=True):
                logger.info("removed %s, left behind by a writer that died", folder / name)


def is_abandoned(path: Path, *, remove: bool = False) -> bool:
    """Whether no live process holds a temporary file; it may be removed at once if so."""
    try:
        descriptor = open_read(path)
    except OSError:
        return False
    try:
        dead = _is_unlocked(descriptor)
        if dead and remove:
            # Still under the lock: its owner, if just about to take it, then makes another.
            with contextlib.suppress(OSError):
                path.unlink()
        return dead
    finally:
        release(descriptor)


def _is_unlocked(descriptor: int) -> bool:
    try:
        lock(descriptor, wait=False)
    except BlockingIOError:
        return False
    except OSError:  # no locks here
        return time.time() - os.fstat(descriptor).st_mtime > ABANDONED_SECONDS
    return True


def stem_of(path: Path) -> str:
    """What the names of temporary files beside a path begin with: its own where that is short.

    A name may have 255 bytes, and so no room for a mark behind it.
    """
    name = os.fsencode(path.name)
    if len(name) <= _LONGEST_STEM:
        return path.name
    begin = name[:_LONGEST_STEM].decode("ascii", "ignore")
    return f"{begin}~{xxhash.xxh3_64_hexdigest(name)}"


@contextlib.contextmanager
def replacing(out: Path, *, lasting: bool = True) -> Iterator[BinaryIO]:
    """Write a file beside ``out`` and rename it when the block ends without an error.

    Parameters
    ----------
    out
        The file; its folder is made where it does not exist.
    lasting
        Whether it must survive a power cut, which takes the disk's time. Without it a cut may
        leave a file without its end.

    Raises
    ------
    CommitError
        When it could not be written; what stood under the name is intact.
    """
    temporary = out.with_name(f".{stem_of(out)}-{secrets.token_hex(8)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            if lasting:
                sync(file.fileno())
        os.replace(temporary, out)
        if lasting:
            sync_folder(out.parent)
    except OSError as error:
        raise CommitError(
            f"could not write {out} ({error.strerror or error}): {remedy(error)}, and call again"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


#: What is wrong with a place, and not with the room in it.
_WRONG_PLACE = frozenset(
    {errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT}
    | {errno.ENOTDIR, errno.EPERM, errno.EROFS}
)


def remedy(error: OSError) -> str:
    """What to do when something could not be written."""
    return "write elsewhere" if error.errno in _WRONG_PLACE else "make room, or write elsewhere"


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where it does not exist.

    Raises
    ------
    CommitError
        When it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommitError(
            f"the folder {folder} cannot be made ({error.strerror or error}): {remedy(error)}"
        ) from error


def sync_files(files: Iterable[Path], folder: Path) -> None:
    """Return when files, and their names in a folder, would survive a power cut."""
    for file in files:
        with file.open("rb+") as written:
            sync(written.fileno())
    sync_folder(folder)
