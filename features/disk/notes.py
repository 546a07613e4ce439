"""What this user's layerbank wrote on this machine, told from what somebody else did.

A file that is shared names places: a bank's folder, an encoder, a table. They are the writer's
own, and on another's machine they stand for something else, or for what a stranger wants to be
opened. So the content of each such file is noted when it is written, by its SHA-256 in the user's
cache folder, and what it says of places counts where it is noted.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from features.disk.cache import cache_folder
from features.disk.system import open_or_make, read_file, release

#: The folder of the notes, and how many are kept: the oldest go first.
FOLDER, KEPT = "written", 20_000


def note_written_here(content: bytes) -> None:
    """Note that a file of this content was written here; nothing where nothing can be kept."""
    path = _path(content)
    if path is None:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        release(open_or_make(path))
        _drop_oldest(path.parent)


def was_written_here(content: bytes) -> bool:
    """Whether a file of this content was written here, by this user."""
    path = _path(content)
    return path is not None and path.is_file()


def note_file(path: Path) -> None:
    """Note a file that was written here; nothing where it cannot be read."""
    with contextlib.suppress(OSError):
        note_written_here(read_file(path))


def is_noted(path: Path) -> bool:
    """Whether a file was written here, by this user; no where it cannot be read."""
    try:
        return was_written_here(read_file(path))
    except OSError:
        return False


def _path(content: bytes) -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / FOLDER / hashlib.sha256(content).hexdigest()


def _drop_oldest(folder: Path) -> None:
    notes = [*folder.iterdir()]
    if len(notes) > KEPT:
        notes.sort(key=lambda path: path.stat().st_mtime)
        for path in notes[: len(notes) - KEPT]:
            path.unlink(missing_ok=True)
