"""A file that appears under its name only when it is whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from features.commit import sync_folder
from features.errors import CommitError


@contextlib.contextmanager
def replacing(out: Path) -> Iterator[BinaryIO]:
    """Write a file beside ``out`` and rename it when the block ends without an error.

    Raises
    ------
    CommitError
        When it could not be written; what stood under the name is intact.
    """
    temporary = out.with_name(f".{out.name}-{secrets.token_hex(8)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, out)
        sync_folder(out.parent)
    except OSError as error:
        raise CommitError(
            f"could not write {out} ({error.strerror or error}): make room, or write elsewhere, "
            "and call again"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
