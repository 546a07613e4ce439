"""Standard input and pipes, which can be read only once: kept in a file while the process lives."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import BinaryIO

from features.errors import InputError

#: What stands for standard input on a command line.
DASH = "-"

_STDIN = frozenset({DASH, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})


def flows(path: str | Path) -> bool:
    """Whether a path stands for standard input or a pipe, which cannot be read a second time."""
    if str(path) in _STDIN:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode)


def spooled(path: str | Path) -> tuple[Path, str]:
    """A file that holds all that came, and what messages call it.

    Raises
    ------
    InputError
        It is a terminal, or cannot be read or kept.
    """
    name = str(path)
    if name not in _STDIN:
        return _kept(name), name
    return _kept(DASH), "standard input"


@cache
def _kept(name: str) -> Path:
    descriptor, kept = tempfile.mkstemp(prefix="layerbank-input-")
    atexit.register(_forget, kept, os.getpid())
    try:
        with open(descriptor, "wb") as out, contextlib.ExitStack() as stack:
            if name == DASH:
                shutil.copyfileobj(_stdin(), out, 1 << 20)
            else:
                shutil.copyfileobj(stack.enter_context(open(name, "rb")), out, 1 << 20)
    except OSError as error:
        raise InputError(
            f"{'standard input' if name == DASH else name} cannot be kept in "
            f"{Path(kept).parent} ({error.strerror or error}): write it to a file, and give that"
        ) from None
    return Path(kept)


def _stdin() -> BinaryIO:
    if sys.stdin.isatty():
        raise InputError(
            "standard input is a terminal: pipe a file into the command, or give its path"
        )
    return sys.stdin.buffer


def _forget(kept: str, process: int) -> None:
    if os.getpid() == process:  # not what a fork of it still reads
        with contextlib.suppress(OSError):
            os.unlink(kept)
