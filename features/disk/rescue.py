"""Where rows go whose bank was removed, moved or replaced while they were in a writer's hands."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from features.disk.atomic import stem_of
from features.disk.manifest import Manifest, read_manifest, write_manifest
from features.disk.system import NO_FILE
from features.errors import BankError, CommitError, NotABank

#: A repair makes ``bank.json`` anew, so it is looked for so often before it counts as gone.
TRIES = 5
_WAIT_SECONDS = 0.1

#: Names that are tried for a bank of rescued rows.
_NAMES = 100


def is_lost(folder: Path, manifest: Manifest) -> bool:
    """Whether the bank with a manifest stands in its folder no more; not where nobody can tell."""
    for number in range(TRIES):
        time.sleep(_WAIT_SECONDS if number else 0.0)
        try:
            if read_manifest(folder).fingerprint == manifest.fingerprint:
                return False
        except BankError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno not in NO_FILE:
                return False  # the disk fails, say: a commit will tell
    return True


def rescue_bank(folder: Path, manifest: Manifest) -> Path:
    """A bank of the same set-up beside the folder, made where there is none.

    Raises
    ------
    CommitError
        When it cannot be made.
    """
    for path in _places(folder):
        if path.is_symlink() or path.is_file():
            continue
        try:
            write_manifest(path, manifest.setup, manifest.source)
        except CommitError:
            raise
        except BankError:
            continue  # of another set-up, or no bank
        return path
    raise CommitError(f"{folder} has gone, and no bank can be made beside it: move others away")


def rescued_banks(folder: Path, manifest: Manifest) -> list[Path]:
    """The banks beside a folder that took in rows of the bank with a manifest.

    Raises
    ------
    BankError
        One of them is damaged, so that nobody knows whose it is.
    """
    found = []
    for path in _places(folder):
        with contextlib.suppress(NotABank):
            if not path.is_symlink() and read_manifest(path).fingerprint == manifest.fingerprint:
                found.append(path)
    return found


def _places(folder: Path) -> Iterator[Path]:
    """Where a bank of rescued rows may stand, the first choice first."""
    name = stem_of(folder.with_name(folder.name.removesuffix(".bank")))
    for number in range(1, _NAMES):
        yield folder.with_name(f"{name}.rescued{f'-{number}' if number > 1 else ''}.bank")
