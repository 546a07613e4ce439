"""The commit: the one way in which a file comes into a bank.

A temporary file is written, synced, read back and compared, then renamed; the rename is the only
commit point, and the directory is synced after it. Whatever fails before it leaves the bank as
it was. A temporary file is locked while its writer lives, so that anyone may sweep away those of
the dead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import xxhash

from features.errors import CommitError
from features.image import Image
from features.mapped import release

logger = logging.getLogger(__name__)

TEMPORARY = ".writing-"
#: Where locks do not work (some network file systems), a temporary file this old is dead.
ABANDONED_SECONDS = 24 * 3600
_READ_BACK = 1 << 20


def commit(folder: Path, image: Image, name: Callable[[str], str], *, again: bool = False) -> Path:
    """Write ``image`` into ``folder`` under ``name(sha256 of its bytes)``; all or nothing.

    Parameters
    ----------
    again
        Whether a commit of this content failed, perhaps in its last step: it then keeps the name
        under which it may stand there. Looking for it takes longer the more segments there are.

    Raises
    ------
    CommitError
        When the file could not be written or made to last.
    """
    with disk_errors(folder), locked_temporary(folder) as (descriptor, temporary):
        sha256 = _write(descriptor, image)
        before = _already_there(folder, sha256) if again else None
        final = folder / (before or name(sha256))
        os.rename(temporary, final)
        sync_folder(folder)
    return final


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """What the operating system refuses, as a CommitError that says what to do."""
    try:
        yield
    except OSError as error:
        denied = isinstance(error, PermissionError) or error.errno == errno.EROFS
        remedy = "make it writable" if denied else "make room or mend the disk"
        raise CommitError(
            f"could not write to {folder} ({error.strerror or error}): {remedy} and call again; "
            "everything committed so far is intact"
        ) from error


def is_writable(folder: Path) -> bool:
    """Whether files may be added to a folder, or to the one in which it would be made."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return os.access(there, os.W_OK | os.X_OK)


def _already_there(folder: Path, sha256: str) -> str | None:
    ending = f"-{sha256[:16]}.h5"
    return next((name for name in os.listdir(folder) if name.endswith(ending)), None)


def _write(descriptor: int, image: Image) -> str:
    """Write all bytes, sync, and compare what the file then holds; their SHA-256.

    SHA-256 runs beside the writing, since it is slower than many disks.
    """
    written = xxhash.xxh3_128()
    with ThreadPoolExecutor(1) as beside:
        naming = beside.submit(_sha256, image)
        for piece in image.pieces():
            written.update(piece)
            write_all(descriptor, piece)
        os.fsync(descriptor)
        if _hash_of(descriptor, image.size) != written.digest():
            raise OSError(errno.EIO, "the file reads back differently from what was written")
        return naming.result()


def write_all(descriptor: int, data: memoryview) -> None:
    """Write all of ``data``; a short write goes on where it stopped."""
    while data:
        written = os.write(descriptor, data)
        if written == 0:
            raise OSError(errno.ENOSPC, "the disk takes no more bytes")
        data = data[written:]


def _sha256(image: Image) -> str:
    digest = hashlib.sha256()
    for piece in image.pieces():
        digest.update(piece)
    return digest.hexdigest()


def _hash_of(descriptor: int, size: int) -> bytes:
    """XXH3 (128 bits) of the file as it stands."""
    digest = xxhash.xxh3_128()
    buffer = memoryview(bytearray(_READ_BACK))
    at = 0
    while got := os.preadv(descriptor, [buffer], at):
        digest.update(buffer[:got])
        at += got
    return digest.digest() if at == size else b"another size"


@contextlib.contextmanager
def locked_temporary(folder: Path) -> Iterator[tuple[int, Path]]:
    """A new file, ``(descriptor, path)``, known to be in use; gone at the end unless renamed."""
    while True:
        path = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            with contextlib.suppress(OSError):  # no locks here: age decides (sweep)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
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
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks here
        return time.time() - os.fstat(descriptor).st_mtime > ABANDONED_SECONDS
    return True


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable; some file systems have no such thing, and say so."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        release(descriptor)
