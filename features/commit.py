"""The commit: the one way in which a file comes into a bank.

A temporary file is written, synced, read back and compared, then renamed; the rename is the only
commit point, and the directory is synced after it. Whatever fails before it leaves the bank as
it was. A temporary file is locked while its writer lives, so that anyone may sweep away those of
the dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from features.errors import CommitError
from features.format import COMMITS_LOG
from features.image import Image

logger = logging.getLogger(__name__)

TEMPORARY = ".writing-"
#: Where locks do not work (some network file systems), a temporary file this old is dead.
ABANDONED_SECONDS = 24 * 3600


def commit(folder: Path, image: Image, name: Callable[[str], str]) -> Path:
    """Write ``image`` into ``folder`` under ``name(sha256 of its bytes)``; all or nothing.

    Raises
    ------
    CommitError
        When the file could not be written; nothing was committed.
    """
    temporary = None
    try:
        with _locked_temporary(folder) as (descriptor, temporary):
            digest = _write(descriptor, image)
            os.fsync(descriptor)
            if _digest_of(descriptor, image.size) != digest:
                raise OSError("the file reads back differently from what was written")
            final = folder / name(digest)
            os.rename(temporary, final)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise CommitError(
            f"could not write to {folder} ({error.strerror or error}): make room or mend the disk "
            "and call again; everything committed so far is intact"
        ) from error
    sync_folder(folder)
    return final


def _write(descriptor: int, image: Image) -> str:
    """Write all bytes; their SHA-256. A short write goes on where it stopped."""
    digest = hashlib.sha256()
    for piece in image.pieces():
        digest.update(piece)
        while piece:
            written = os.write(descriptor, piece)
            if written == 0:
                raise OSError("the disk takes no more bytes")
            piece = piece[written:]
    return digest.hexdigest()


def _digest_of(descriptor: int, size: int) -> str:
    """SHA-256 of the file as it stands."""
    if os.fstat(descriptor).st_size != size:
        return "another size"
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked_temporary(folder: Path) -> Iterator[tuple[int, Path]]:
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
            os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove the temporary files of writers that are dead."""
    for path in folder.glob(f"{TEMPORARY}*"):
        if is_abandoned(path, remove=True):
            logger.info("removed %s, left behind by a writer that died", path)


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
        os.close(descriptor)


def _is_unlocked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks here
        return time.time() - os.fstat(descriptor).st_mtime > ABANDONED_SECONDS
    return True


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def log(folder: Path, event: str, name: str, n: int) -> None:
    """Append a line to the advisory log; a log that cannot be written is no failure."""
    line = f"{datetime.now(UTC).isoformat()}\t{event}\t{name}\t{n}\n"
    try:
        with (folder / COMMITS_LOG).open("ab", buffering=0) as file:
            file.write(line.encode())
    except OSError as error:
        logger.warning("could not note %s in %s (%s)", name, COMMITS_LOG, error)
