"""The commit: the one way in which a file comes into a bank.

A temporary file is written, synced, read back and compared, then renamed; the rename is the only
commit point, and the directory is synced after it. Whatever fails before it leaves the bank as
it was. A temporary file is locked while its writer lives, so that anyone may sweep away those of
the dead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from features.errors import BankError, CommitError


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


def _limit() -> int:
    """How many files to keep mapped: half of the descriptors that the process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, min(soft // 2, 8192))


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


def write_all(descriptor: int, data: memoryview) -> None:
    """Write all of ``data``; a short write goes on where it stopped."""
    while data:
        written = os.write(descriptor, data)
        if written == 0:
            raise OSError(errno.ENOSPC, "the disk takes no more bytes")
        data = data[written:]


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
