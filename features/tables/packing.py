"""Compressed files: which kind one is, and its bytes as they are unpacked, never all at once."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from features.console.show import printable
from features.errors import InputError

#: Endings of files that are packed, which say nothing of what is in them.
PACKED_ENDINGS = ("gz", "bz2", "xz", "zst", "zip")

#: Memory that unpacking may take: what the strongest ordinary level of xz needs is 65 MiB.
_XZ_MEMORY = 1 << 28

_HEADS = (
    (b"\x1f\x8b", "gzip"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"),
)  # fmt: skip

#: What libraries raise at a damaged or forged file.
_DAMAGE = (
    OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
    NotImplementedError, RuntimeError,
)  # fmt: skip


def packing_of(head: bytes) -> str | None:
    """How what begins with these 10 bytes is compressed; None where it is not."""
    # Text may begin with "BZh", so more is looked at than those.
    if head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return "bzip2"
    return next((name for start, name in _HEADS if head.startswith(start)), None)


@contextlib.contextmanager
def unpacked(path: Path, packing: str, name: str, member: str | None) -> Iterator[BinaryIO]:
    """The bytes of a packed file, unpacked piece by piece.

    Raises
    ------
    InputError
        It is damaged, ends too early, or needs more memory than is taken for it.
    """
    with contextlib.ExitStack() as stack:
        try:
            file: Any
            if packing == "zip":
                archive = stack.enter_context(zipfile.ZipFile(path))
                file = stack.enter_context(archive.open(member or ""))
            else:
                file = stack.enter_context(_OPENERS[packing](path))
        except _DAMAGE as error:
            raise _damaged(name, packing, error) from None
        raw = _Checked(file, name, packing)
        buffered = stack.enter_context(io.BufferedReader(raw, 1 << 16))
        yield buffered


class _Checked(io.RawIOBase):
    """What a decompressor gives, its errors told in one sentence."""

    def __init__(self, file: Any, name: str, packing: str) -> None:
        self._file, self._name, self._packing = file, name, packing

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        try:
            data = self._file.read(len(view))
        except _DAMAGE as error:
            raise _damaged(self._name, self._packing, error) from None
        view[: len(data)] = data
        return len(data)


def _damaged(name: str, packing: str, error: Exception) -> InputError:
    why = " ".join(str(error).split()) or type(error).__name__
    return InputError(
        f"{name} cannot be unpacked as {packing} ({printable(why)}): copy it again, or unpack it "
        "yourself"
    )


class _Xz(io.RawIOBase):
    """An .xz file of any number of streams, unpacked in bounded memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._decompressor: lzma.LZMADecompressor | None = None
        self._left = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def read(self, size: int = -1, /) -> bytes:
        while True:
            if self._decompressor is None or self._decompressor.eof:
                if self._decompressor is not None:
                    self._left = self._decompressor.unused_data
                self._left = (self._left or self._file.read(1 << 16)).lstrip(b"\0")  # padding
                if not self._left:
                    return b""
                self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            given = b""
            if self._decompressor.needs_input:
                given = self._left or self._file.read(1 << 16)
                self._left = b""
                if not given:
                    raise EOFError("it ends in the middle")
            if data := self._decompressor.decompress(given, size):
                return data


def _zstd(path: Path) -> Any:
    from pyarrow import CompressedInputStream, OSFile

    return CompressedInputStream(OSFile(str(path)), "zstd")


_OPENERS: dict[str, Callable[[Path], Any]] = {
    "gzip": gzip.open, "bzip2": bz2.open, "xz": _Xz, "zstd": _zstd,
}  # fmt: skip


def _only_member(path: Path, name: str) -> str:
    """The one table of a ZIP archive. Its name is only read, and never made a path."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [entry for entry in archive.infolist() if _is_table(entry.filename)]
    except _DAMAGE as error:
        raise _damaged(name, "zip", error) from None
    if len(found) == 1:
        return found[0].filename
    if any(entry.filename.startswith("xl/") for entry in found):
        raise InputError(f"{name} is an Excel workbook: say so with --format xlsx")
    listed = ", ".join(printable(entry.filename[:60]) for entry in found[:5])
    what = f"holds {len(found)} files ({listed}{', …' * (len(found) > 5)})" if found else "is empty"
    raise InputError(f"{name} {what}, and one table is taken: unpack it and give that one")


def _is_table(member: str) -> bool:
    """Whether an entry is no folder and none of the files that systems put beside others."""
    parts = PurePosixPath(member).parts
    return bool(parts) and not (
        member.endswith("/") or parts[0] == "__MACOSX" or parts[-1].startswith(".")
    )


#: Packings that hold files with names.
MEMBERS: dict[str | None, Callable[[Path, str], str]] = {"zip": _only_member}


def ending_of(path: str) -> str:
    """What a file's name says is in it, whatever it is packed in.

    >>> ending_of("train.csv"), ending_of("TRAIN.CSV.GZ"), ending_of("data.zip")
    ('csv', 'csv', '')
    """
    suffixes = [suffix.lower().removeprefix(".") for suffix in PurePosixPath(path).suffixes]
    if suffixes and suffixes[-1] in PACKED_ENDINGS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
