"""The bank: pooled vectors of every layer on disk, any combination of them as a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from features.bank import Bank
    from features.banks import Banks, open_banks
    from features.errors import LayerbankError
    from features.keys import Text, text_key, text_keys
    from features.selection import Block, Selection

__all__ = [
    "Bank",
    "Banks",
    "Block",
    "LayerbankError",
    "Selection",
    "Text",
    "open_banks",
    "text_key",
    "text_keys",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "features.bank": ["Bank"],
        "features.banks": ["Banks", "open_banks"],
        "features.selection": ["Block", "Selection"],
        "features.errors": ["LayerbankError"],
        "features.keys": ["Text", "text_key", "text_keys"],
    },
)
