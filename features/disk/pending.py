"""``.deleting``: the keys that a delete takes out of a bank, for as long as it has not finished.

A delete that was killed leaves the file behind, and ``verify`` names it. While it stands, the bank
still holds what it lists, so the file tells nobody more; it goes with the last of them.

The file is the XXH3 hash of the keys (128 bits, most significant byte first), then the keys, 32
bytes each.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xxhash

from features.disk.atomic import is_abandoned, locked_temporary
from features.disk.index import KeyIndex, Keys
from features.disk.system import read_file, sync, sync_folder, write_all
from features.keys import KEY_SIZE

logger = logging.getLogger(__name__)

DELETING = ".deleting"

_HASH_SIZE = 16


@contextlib.contextmanager
def deleting(folder: Path, keys: Keys) -> Iterator[None]:
    """Say that keys are being deleted, until the block ends; an error leaves it said.

    Parameters
    ----------
    folder
        The bank's, which nobody else rearranges.
    keys
        Shape ``(n, 32)``. What an earlier delete left unfinished stays said, but for these.
    """
    before = pending_keys(folder)
    rest = before[KeyIndex.over(keys).find(before) < 0]
    with _said(folder, np.concatenate([rest, keys])):  # locked, so that it is known to go on
        yield
        if not len(rest):
            (folder / DELETING).unlink(missing_ok=True)
            sync_folder(folder)
    if len(rest):
        with _said(folder, rest):
            pass


def pending_keys(folder: Path) -> Keys:
    """Keys whose deletion began and did not end, shape ``(n, 32)``; none where nothing says so."""
    none = np.empty((0, KEY_SIZE), np.uint8)
    try:
        content = read_file(folder / DELETING)
    except FileNotFoundError:
        return none
    except OSError as error:
        logger.warning("%s cannot be read (%s)", folder / DELETING, error.strerror or error)
        return none
    said, keys = content[:_HASH_SIZE], content[_HASH_SIZE:]
    if xxhash.xxh3_128_digest(keys) != said or len(keys) % KEY_SIZE:
        logger.warning("%s is damaged, so which texts it lists is not known", folder / DELETING)
        return none
    return np.frombuffer(keys, np.uint8).reshape(-1, KEY_SIZE)


def was_interrupted(folder: Path) -> bool:
    """Whether a delete began and no process is at it any more."""
    return is_abandoned(folder / DELETING)


@contextlib.contextmanager
def _said(folder: Path, keys: Keys) -> Iterator[None]:
    content = np.ascontiguousarray(keys).tobytes()
    with locked_temporary(folder) as (descriptor, temporary):
        write_all(descriptor, memoryview(xxhash.xxh3_128_digest(content) + content))
        sync(descriptor)
        os.rename(temporary, folder / DELETING)
        sync_folder(folder)
        yield
