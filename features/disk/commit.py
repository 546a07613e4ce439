"""The commit: the one way in which a file comes into a bank.

A temporary file is written, synced, read back and compared, then renamed; the rename is the only
commit point, and the directory is synced after it. Whatever fails before it leaves the bank as
it was. A temporary file is locked while its writer lives, so that anyone may sweep away those of
the dead.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import xxhash

from features.disk.atomic import locked_temporary
from features.disk.format import MANIFEST
from features.disk.image import Image
from features.disk.system import (
    disk_errors,
    lock,
    open_or_make,
    open_read,
    read_at,
    refuse_writing_banks,
    release,
    sync,
    sync_folder,
    write_all,
)
from features.errors import BankError

#: Locked by the one process that rearranges a bank.
REARRANGING = ".rearranging"

#: Bytes read back at a time.
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
        sync(descriptor)
        if _hash_of(descriptor, image.size) != written.digest():
            raise OSError(errno.EIO, "the file reads back differently from what was written")
        return naming.result()


def _sha256(image: Image) -> str:
    digest = hashlib.sha256()
    for piece in image.pieces():
        digest.update(piece)
    return digest.hexdigest()


def _hash_of(descriptor: int, size: int) -> bytes:
    """XXH3 (128 bits) of the file as it stands."""
    digest = xxhash.xxh3_128()
    n_read = 0
    while data := read_at(descriptor, _READ_BACK, n_read):
        digest.update(data)
        n_read += len(data)
    return digest.digest() if n_read == size else b"another size"


@contextlib.contextmanager
def committing(folder: Path) -> Iterator[None]:
    """Held during a commit; any number at once."""
    with _locked(folder / MANIFEST, open_read, shared=True):
        yield


@contextlib.contextmanager
def swapping(folder: Path) -> Iterator[None]:
    """Held while files are moved; waits for commits under way."""
    with _locked(folder / MANIFEST, open_read):
        yield


@contextlib.contextmanager
def rearranging(folder: Path) -> Iterator[None]:
    """Held by the one process that compacts, repairs or deletes; BankError for a second one."""
    refuse_writing_banks(folder)
    with _locked(folder / REARRANGING, open_or_make, wait=False):
        yield


@contextlib.contextmanager
def _locked(
    path: Path, opened: Callable[[Path], int], *, shared: bool = False, wait: bool = True
) -> Iterator[None]:
    with disk_errors(path.parent):
        descriptor = opened(path)
    try:
        try:
            lock(descriptor, shared=shared, wait=wait)
        except BlockingIOError:
            raise BankError(
                f"another process is compacting, repairing or deleting from {path.parent}: call "
                "again when it is done"
            ) from None
        except OSError:
            pass  # a file system without locks: as safe as one host alone on it
        yield
    finally:
        release(descriptor)
