"""Folders that take the place of others whole, or not at all.

A folder ``a`` is written as ``.a-MARK``. Where names can be exchanged in one step, it then takes
the place of what stood there. Elsewhere the old one is called ``.a-MARK-replaced`` for a moment:
if the process dies in it, the next that looks for ``a`` puts the old one back. A process locks what
it writes and what it replaces, so that others know what the dead left behind.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from features.disk.atomic import ABANDONED_SECONDS, stem_of, sync_files
from features.disk.system import exchange, lock_folder, release, sync_folder

logger = logging.getLogger(__name__)

REPLACED = "-replaced"

#: How long a folder may be without its name where there are no locks.
_BETWEEN_SECONDS = 2.0


@contextlib.contextmanager
def new_folder(path: Path, *, keep: str | None = None, lasting: bool = True) -> Iterator[Path]:
    """A folder beside ``path`` that takes its place when all has been written into it.

    Parameters
    ----------
    path
        Where it will stand. What stands there stays until then, and for good after an error.
    keep
        A folder within the one that is replaced that the new one has as well.
    lasting
        Whether it must survive a power cut.

    Raises
    ------
    OSError
        When it could not be written.
    """
    recover(path)
    _sweep(path, keep)
    folder, held = _made(path)
    replaced = folder.with_name(folder.name + REPLACED)
    try:
        yield folder
        if lasting:
            sync_files((file for file in folder.rglob("*") if file.is_file()), folder)
        with _held(path):
            _publish(folder, path, replaced, keep, lasting)
    finally:
        _remove(folder)  # what could not be published, or what stood there before
        if os.path.lexists(path):
            _remove(replaced)
        if held is not None:
            release(held)


def recover(path: Path) -> None:
    """Put back what stood under a name, where a process died while it was replacing it.

    Raises
    ------
    OSError
        It is there under another name, which cannot be changed.
    """
    if os.path.lexists(path):
        return
    for leftover in _leftovers(path):
        if not leftover.name.endswith(REPLACED):
            continue
        try:
            held = lock_folder(leftover)  # its process, if it lives, is about to be done
        except FileNotFoundError:
            continue
        try:
            if held is None:
                _wait_for(path)
            if os.path.lexists(path):
                return
            with contextlib.suppress(FileNotFoundError):
                os.rename(leftover, path)
                logger.info("put %s back, whose replacement was never finished", path)
                return
        finally:
            if held is not None:
                release(held)


def _made(path: Path) -> tuple[Path, int | None]:
    """A new folder, known to be in use, and the descriptor that keeps it locked."""
    while True:
        folder = path.with_name(f".{stem_of(path)}-{secrets.token_hex(6)}")
        folder.mkdir(parents=True)
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            held = lock_folder(folder, wait=False)
            if folder.exists():  # a sweep may come between creation and lock
                return folder, held
            if held is not None:
                release(held)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """What stands under a name, if anything, stays there until the block ends."""
    while True:
        try:
            held = lock_folder(path)
        except (FileNotFoundError, NotADirectoryError):
            held = None
        if held is None:
            yield
            return
        try:
            # While it was waited for, another may have taken its place.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(held), path.stat()):
                    yield
                    return
        finally:
            release(held)


def _publish(folder: Path, path: Path, replaced: Path, keep: str | None, lasting: bool) -> None:
    """Give a folder its name; what stood there is then called as the folder was, or `replaced`."""
    old = os.path.lexists(path)
    if old and keep is not None:
        _carry(path / keep, folder / keep)
    if lasting:
        for inside, _, _ in os.walk(folder):
            sync_folder(Path(inside))
    if not old:
        os.rename(folder, path)
    elif not exchange(folder, path):
        try:
            os.rename(path, replaced)
            os.rename(folder, path)
        except BaseException:
            if not os.path.lexists(path):
                os.rename(replaced, path)
            raise
    if lasting:
        sync_folder(path.parent)
    if old and keep is not None:
        # Banks may have grown since, and what a bank has once it has under the same name always.
        with contextlib.suppress(OSError):
            _carry((replaced if replaced.exists() else folder) / keep, path / keep)


def _carry(old: Path, new: Path) -> None:
    """Give a folder all that another has and it lacks, by links to the same files."""
    if old.is_symlink() or not old.is_dir():
        if os.path.lexists(old) and not os.path.lexists(new):
            _carry_file(old, new)
        return
    if not new.exists():
        new.mkdir()
        shutil.copymode(old, new)
    for name in os.listdir(old):
        _carry(old / name, new / name)


def _carry_file(old: Path, new: Path) -> None:
    with contextlib.suppress(FileNotFoundError, FileExistsError):  # gone meanwhile, or come
        if old.is_symlink():
            os.symlink(os.readlink(old), new)
            return
        try:
            os.link(old, new)
        except (FileNotFoundError, FileExistsError):
            raise
        except OSError:  # a file system without links
            if not old.is_file():
                raise
            shutil.copy2(old, new)
            sync_files([new], new.parent)


def _leftovers(path: Path) -> list[Path]:
    """What processes write, wrote, or moved away for a name; the newest first."""
    called = re.compile(rf"\.{re.escape(stem_of(path))}-[0-9a-f]{{12}}({REPLACED})?")
    try:
        names = [name for name in os.listdir(path.parent) if called.fullmatch(name)]
    except OSError:
        return []
    ages = []
    for name in names:
        with contextlib.suppress(OSError):
            ages.append(((path.parent / name).lstat().st_ctime_ns, name))
    return [path.parent / name for _, name in sorted(ages, reverse=True)]


def _sweep(path: Path, keep: str | None) -> None:
    """Remove what the dead left behind; what they were to keep first takes its place."""
    for leftover in _leftovers(path):
        with contextlib.suppress(OSError):
            held = lock_folder(leftover, wait=False)
            try:
                if held is None and time.time() - leftover.stat().st_mtime < ABANDONED_SECONDS:
                    continue
                if keep is not None and leftover.name.endswith(REPLACED):
                    with contextlib.suppress(OSError):  # not where the new one has its own
                        os.rename(leftover / keep, path / keep)
                _remove(leftover)
                logger.info("removed %s, left behind by a process that died", leftover)
            finally:
                if held is not None:
                    release(held)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(path: Path) -> None:
    """Return when something stands under a name, or long after it should."""
    end = time.monotonic() + _BETWEEN_SECONDS
    while not os.path.lexists(path) and time.monotonic() < end:
        time.sleep(0.01)
