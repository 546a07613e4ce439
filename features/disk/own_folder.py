"""The folders of a bank's own, ``retired/`` and ``damaged/``: held open while files move there.

What is done in one is done in that folder, whatever its path leads to meanwhile; a link in its
place is refused, and no link in it is followed.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Self

from features.disk.system import open_folder, open_within, release


class OwnFolder:
    """A folder that is no link; use it as a context manager.

    Parameters
    ----------
    path
        Where it stands.
    make
        Whether to make it where there is none.

    Raises
    ------
    FileNotFoundError
        There is none.
    OSError
        It is a link or a file.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path)
        self._descriptor = open_folder(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        release(self._descriptor)

    def names(self) -> list[str]:
        """Of all that is in it."""
        return os.listdir(self._descriptor)

    def status(self, name: str) -> os.stat_result:
        """Of what has a name; of a link, its own."""
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def open_read(self, name: str) -> int:
        """A descriptor of a regular file to be read; OSError for anything else, and for a link."""
        return open_within(self._descriptor, name)

    def take_in(self, path: Path, name: str) -> None:
        """Move what stands at a path, of a link the link itself, here under a name."""
        os.rename(path, name, dst_dir_fd=self._descriptor)

    def remove(self, name: str) -> None:
        """Delete what has a name, of a link the link itself."""
        os.unlink(name, dir_fd=self._descriptor)
