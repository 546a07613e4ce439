"""The user's cache folder: what was made on this machine, and can be made again at any time.

It is ``$LAYERBANK_CACHE``, or ``layerbank`` in the user's cache folder. What lies in it is run or
parsed as it stands, so it is used only where nobody else could have written it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import xxhash

from features.disk.atomic import replacing
from features.disk.system import is_private
from features.errors import CommitError, InputError
from features.paths import as_path

log = logging.getLogger(__name__)


def cache_folder() -> Path | None:
    """The folder, made where there is none; None, which is logged, where it cannot serve."""
    given = os.environ.get("LAYERBANK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return _usable(as_path(given) if given else as_path(base) / "layerbank")
    except InputError as error:  # nobody's home, as in some containers
        log.info("nothing is kept in a cache (%s)", error)
        return None


@cache
def _usable(folder: Path) -> Path | None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_private(folder):
            return folder
        log.warning(
            "nothing is kept in %s, because others may write there: chmod 700 it after you have "
            "emptied it, or name another in LAYERBANK_CACHE", folder
        )  # fmt: skip
    except OSError as error:
        log.info("nothing is kept in %s (%s)", folder, error.strerror or error)
    return None


def kept_text(name: str, make: Callable[[], str]) -> str:
    """What was kept under a file name; where it is gone or damaged, ``make()``, kept then."""
    folder = cache_folder()
    if folder is None:
        return make()
    path = folder / name
    with contextlib.suppress(OSError):
        digest, _, kept = path.read_bytes().partition(b"\n")
        if digest == _digest(kept):
            return kept.decode()
    text = make()
    with contextlib.suppress(CommitError), replacing(path, lasting=False) as file:
        file.write(_digest(text.encode()) + b"\n" + text.encode())
    return text


def _digest(content: bytes) -> bytes:
    return xxhash.xxh3_128_hexdigest(content).encode()
