"""The bank: pooled vectors of every layer on disk, any combination of them as a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from features.bank import Bank as Bank
    from features.banks import Banks as Banks
    from features.banks import open_banks as open_banks
    from features.errors import LayerbankError as LayerbankError
    from features.keys import text_key as text_key
    from features.keys import text_keys as text_keys
    from features.selection import Block as Block
    from features.selection import Selection as Selection
    from features.texts import Text as Text
    from features.texts import as_texts as as_texts
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "features.bank": ["Bank"],
            "features.banks": ["Banks", "open_banks"],
            "features.errors": ["LayerbankError"],
            "features.keys": ["text_key", "text_keys"],
            "features.selection": ["Block", "Selection"],
            "features.texts": ["Text", "as_texts"],
        },
    )
