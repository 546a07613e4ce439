"""What every segment of a bank must hold: the name, types and shape of each dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from features.disk.format import dataset_name
from features.disk.manifest import Manifest
from features.keys import KEY_SIZE
from features.selection import Block, bank_blocks

#: The datasets of a segment beside its blocks: type, as NumPy writes it, and columns of each.
ROWS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "/key": ("|u1", (KEY_SIZE,)),
    "/n_tokens": ("<i4", ()),
    "/truncated": ("|u1", ()),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What a bank's ``bank.json`` says of its segments.

    Attributes
    ----------
    fingerprint
        The bank's.
    blocks
        Its blocks in order.
    names
        The datasets of the blocks.
    types
        What all blocks of a segment may be of; one type for all of them.
    hidden_size
        Columns of each block.
    """

    fingerprint: str
    blocks: tuple[Block, ...]
    names: tuple[str, ...]
    types: tuple[str, ...]
    hidden_size: int

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The layout of a bank with such a ``bank.json``."""
        setup: Mapping[str, Any] = manifest.setup
        blocks = bank_blocks(setup)
        return cls(
            manifest.fingerprint,
            blocks,
            tuple(map(dataset_name, blocks)),
            block_types(setup["precision"]),
            setup["hidden_size"],
        )


def block_types(precision: str) -> tuple[str, ...]:
    """Types of the numbers in a bank of a precision, the smallest first."""
    return ("<f4",) if precision == "fp32" else ("<f2", "<f4")
