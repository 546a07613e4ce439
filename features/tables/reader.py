"""What every reader of a file format gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

#: A row's number, from 1, and its cells.
Row = tuple[int, tuple[object, ...]]


class Reader(Protocol):
    """One file format."""

    columns: list[str]

    def all_columns(self) -> list[str]:
        """The columns once more, where the first rows may not show all."""

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """``(row number from 1, cells)`` of each data row."""
