"""The bytes of an input file, unpacked where it is packed, from the beginning whenever asked."""

from __future__ import annotations

import codecs
import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from features.errors import InputError
from features.tables.encodings import BEGINNING, shown_encoding
from features.tables.packing import MEMBERS, packing_of, unpacked

#: Bytes of a line at the most, in what is packed: a small file may unpack to any size.
LONGEST_LINE = 1 << 28


@dataclass(frozen=True, slots=True)
class Content:
    """What is in an input file.

    Parameters
    ----------
    path
        Where its bytes are.
    name
        What messages call it.
    packing
        How it is compressed; None where it is not.
    member
        In a ZIP archive, the name of the table in it.
    """

    path: Path
    name: str
    packing: str | None = None
    member: str | None = None

    @classmethod
    def of(cls, path: Path, name: str) -> Content:
        """A file's content, packed or not as its first bytes say."""
        with path.open("rb") as file:
            packing = packing_of(file.read(10))
        member = MEMBERS[packing](path, name) if packing in MEMBERS else None
        content = cls(path, name, packing, member)
        if packing is not None and packing_of(content.head(10)) is not None:
            raise InputError(f"{name} is packed twice: unpack it once, and give that")
        return content

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The bytes; InputError where they cannot be unpacked."""
        if self.packing is None:
            with self.path.open("rb") as file:
                yield file
        else:
            with unpacked(self.path, self.packing, self.name, self.member) as file:
                yield file

    def head(self, size: int) -> bytes:
        """The first bytes."""
        with self.opened() as file:
            return file.read(size)

    @contextlib.contextmanager
    def text(self, encoding: str, newline: str) -> Iterator[IO[str]]:
        """The content as text; a clear error where it cannot be opened or decoded."""
        codec = self.codec(encoding)
        try:
            with self.opened() as file:
                raw = file if self.packing is None else io.BufferedReader(_Lines(file, self.name))
                with io.TextIOWrapper(raw, encoding=codec, newline=newline) as text:
                    yield text
        except UnicodeError as error:
            if isinstance(error, UnicodeDecodeError):
                what = f"is not {encoding} at byte {self._bad_byte(codec)}"
            else:  # codecs that do not say where, such as UTF-16 without a byte-order mark
                what = f"cannot be read as {encoding} ({one_line(error)})"
            raise InputError(
                f"{self.name} {what}: save it as UTF-8, or say how it is written with --encoding "
                "(cp1252 and latin-1 are common)"
            ) from None

    def codec(self, encoding: str) -> str:
        """What decodes it: what the file shows tells more than the default, UTF-8."""
        if codecs.lookup(encoding).name != "utf-8":
            return encoding
        return shown_encoding(self.head(BEGINNING))

    def _bad_byte(self, codec: str) -> int:
        """Offset of the first byte that cannot be decoded."""
        decoder = codecs.getincrementaldecoder(codec)()
        n_read = 0
        with self.opened() as file:
            while chunk := file.read(1 << 20):
                held = len(decoder.getstate()[0])
                try:
                    decoder.decode(chunk)
                except UnicodeError as error:
                    # Of longer pieces than before, some codecs no longer say where.
                    start = error.start if isinstance(error, UnicodeDecodeError) else 0
                    return n_read - held + start
                n_read += len(chunk)
        return n_read


class _Lines(io.RawIOBase):
    """Bytes that are read line by line later: InputError where one would fill the memory."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._since = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._file.read(len(view))
        view[: len(data)] = data
        last = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._since = self._since + len(data) if last < 0 else len(data) - last
        if self._since > LONGEST_LINE:
            raise InputError(
                f"{self._name} unpacks to a line of more than {LONGEST_LINE >> 20} MiB: unpack it "
                "and see what it is"
            )
        return len(data)


def one_line(error: Exception) -> str:
    """An error of a library as part of a sentence."""
    return " ".join(str(error).split())
