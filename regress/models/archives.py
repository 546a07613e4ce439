"""Zips of arrays and of models: what they say of sizes is checked before anything is unpacked."""

from __future__ import annotations

import contextlib
import os
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from features.disk.system import open_read
from features.names import is_plain_name

#: What reading a zip or an array raises besides, where it is no such thing.
UNREADABLE = (
    EOFError, KeyError, TypeError, MemoryError, OverflowError, RuntimeError, struct.error,
    zipfile.BadZipFile,
)  # fmt: skip


@contextlib.contextmanager
def opened_archive(file: Path | BinaryIO) -> Iterator[zipfile.ZipFile]:
    """A zip as it is written here: no member is compressed, so that none is larger than the file.

    Raises
    ------
    ValueError
        It is none, or what is read from it is damaged.
    OSError
        It cannot be read.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(file, Path):
            file = stack.enter_context(open(open_read(file), "rb"))
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            _check_members(archive, size)
            yield archive
        except UNREADABLE as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("it is compressed, and nothing here is")
    if sum(member.file_size for member in members) > size:
        raise ValueError(f"it says that its {size:,} bytes unpack to more")
    names = [member.filename for member in members]
    if len({*names}) < len(names):
        raise ValueError("two of its members have one name")
    if wrong := [name for name in names if not is_plain_name(name)]:
        raise ValueError(f"a member is called {wrong[0][:40]!r}")
