"""Stage 1: texts become pooled vectors of every layer of a frozen encoder, kept in a bank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from extract.pipeline import extract
    from extract.report import ExtractReport

__all__ = ["ExtractReport", "extract"]

__getattr__ = lazy_exports(
    __name__,
    {"extract.pipeline": ["extract"], "extract.report": ["ExtractReport"]},
)
