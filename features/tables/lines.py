"""Plain text, one text a line, in a column named ``text``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from features.tables.content import Content
from features.tables.reader import Row


class LinesReader:
    """A text a line, of a file of any size."""

    def __init__(self, content: Content, encoding: str) -> None:
        self.content, self.encoding = content, encoding
        self.columns = ["text"]

    def all_columns(self) -> list[str]:
        return self.columns

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        with self.content.text(self.encoding, newline="\n") as file:
            for number, line in enumerate(_lines(file), 1):
                yield number, (line,) * len(columns)


def _lines(file: Iterable[str]) -> Iterator[str]:
    """Lines without their ends; these are bare CRs where there is no LF in the whole file."""
    for number, line in enumerate(file):
        if number == 0 and not line.endswith("\n"):
            yield from line.removesuffix("\r").split("\r")
        else:
            yield line.removesuffix("\n").removesuffix("\r")
