"""Arrays that a sweep keeps on disk, a file each, and reads again only as they were written.

A file holds `MARK`, the checksum of all that follows, and the bytes of a ``.npy`` file. Everything
in it can be computed again, so what is cut, flipped or somebody else's counts as not there.
"""

from __future__ import annotations

import contextlib
import io
import logging
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from features.disk.atomic import ABANDONED_SECONDS, make_folder, replacing, sync_files
from features.disk.system import read_file
from features.errors import CommitError

log = logging.getLogger(__name__)

#: How a file begins; another number where it would hold something else.
MARK = b"layerbank part 1\n"

#: How the names of files end.
SUFFIX = ".part"

_CHECKSUM_BYTES = 16


class Parts:
    """Reads and writes the files of a folder.

    Parameters
    ----------
    folder
        Made where it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._new: list[Path] = []
        make_folder(folder)
        for left in folder.glob(".*"):  # by a sweep that was killed, unless another is writing it
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                    left.unlink()

    def read(self, path: Path, is_right: Callable[[NDArray[Any]], bool]) -> NDArray[Any] | None:
        """An array; None where there is none, or not as it was written, which is logged.

        Parameters
        ----------
        path
            The file.
        is_right
            Whether an array is one that could have been written there.
        """
        try:
            array = _checked(read_file(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError):
            array = None
        if array is None or not is_right(array):
            _say_damaged(self.folder)
            return None
        return array

    def write(self, path: Path, array: NDArray[Any]) -> None:
        """Write an array so that its file is whole or not there.

        Raises
        ------
        CommitError
            It could not be written.
        """
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        content = buffer.getbuffer()
        with replacing(path, lasting=False) as file:
            file.write(MARK + xxhash.xxh3_128_digest(content))
            file.write(content)
        self._new.append(path)

    def settle(self) -> None:
        """Return when all that was written would survive a power cut.

        Many files at once take the disk less time than each on its own.

        Raises
        ------
        CommitError
            They could not be kept.
        """
        new, self._new = self._new, []
        try:
            if new:
                sync_files(new, self.folder)
        except OSError as error:
            raise CommitError(
                f"could not keep what was written to {self.folder} ({error.strerror or error}): "
                "mend the disk, or write elsewhere, and call again"
            ) from error


def _checked(content: bytes) -> NDArray[Any] | None:
    start = len(MARK) + _CHECKSUM_BYTES
    checksum, array = content[len(MARK) : start], content[start:]
    if not content.startswith(MARK) or xxhash.xxh3_128_digest(array) != checksum:
        return None
    found: NDArray[Any] = np.load(io.BytesIO(array), allow_pickle=False)
    return found


@cache
def _say_damaged(folder: Path) -> None:
    log.warning("some of what %s keeps is damaged: it is computed anew", folder)
