"""Who may do what at once. Locks belong to one host: network file systems may not honour them.

Adding needs no lock to be right; a commit holds a shared one, briefly, so that ``compact`` and
``verify --repair`` swap files only between commits.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from features.commit import disk_errors
from features.errors import BankError
from features.format import MANIFEST
from features.mapped import release

#: Locked by the one process that rearranges a bank.
REARRANGING = ".rearranging"


@contextlib.contextmanager
def committing(folder: Path) -> Iterator[None]:
    """Held during a commit; any number at once."""
    with _lock(folder / MANIFEST, os.O_RDONLY, fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def swapping(folder: Path) -> Iterator[None]:
    """Held while files are moved; waits for commits under way."""
    with _lock(folder / MANIFEST, os.O_RDONLY, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def rearranging(folder: Path) -> Iterator[None]:
    """Held by the one process that compacts or repairs a bank; BankError for a second one."""
    with _lock(folder / REARRANGING, os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX | fcntl.LOCK_NB):
        yield


@contextlib.contextmanager
def _lock(path: Path, flags: int, operation: int) -> Iterator[None]:
    with disk_errors(path.parent):
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            raise BankError(
                f"another process is compacting or repairing {path.parent}: call again when it "
                "is done"
            ) from None
        except OSError:
            pass  # a file system without locks: as safe as one host alone on it
        yield
    finally:
        release(descriptor)
