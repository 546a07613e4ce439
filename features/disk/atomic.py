"""A file that appears under its name only when it is whole."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from features.disk.system import release, sync_folder
from features.errors import CommitError, RunError

logger = logging.getLogger(__name__)

TEMPORARY = ".writing-"


#: Where locks do not work (some network file systems), a temporary file this old is dead.
ABANDONED_SECONDS = 24 * 3600


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


@contextlib.contextmanager
def replacing(out: Path) -> Iterator[BinaryIO]:
    """Write a file beside ``out`` and rename it when the block ends without an error.

    Raises
    ------
    CommitError
        When it could not be written; what stood under the name is intact.
    """
    temporary = out.with_name(f".{out.name}-{secrets.token_hex(8)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, out)
        sync_folder(out.parent)
    except OSError as error:
        raise CommitError(
            f"could not write {out} ({error.strerror or error}): make room, or write elsewhere, "
            "and call again"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextmanager
def new_folder(path: Path, *, keep: str) -> Iterator[Path]:
    """A folder beside `path` that takes its place when all has been written into it.

    What was encoded into the one that it replaces stays.
    """
    mark = secrets.token_hex(6)
    folder = path.with_name(f".{path.name}-{mark}")
    replaced = path.with_name(f".{path.name}-{mark}-replaced")
    try:
        folder.mkdir(parents=True)
        yield folder
        for file in folder.rglob("*"):
            if file.is_file():
                with file.open("rb+") as written:
                    os.fsync(written.fileno())
        if path.exists():
            path.rename(replaced)
        folder.rename(path)
        if (replaced / keep).is_dir():
            (replaced / keep).rename(path / keep)
    except OSError as error:
        if replaced.exists() and not path.exists():
            replaced.rename(path)
        raise RunError(
            f"could not write the run {path} ({error}): make room and try again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
