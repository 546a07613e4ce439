"""Stage 1: texts become pooled vectors of every layer of a frozen encoder, kept in a bank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from extract.pipeline import extract
    from extract.report import ExtractReport
    from extract.scale.on_ray import extract_on_ray

__all__ = ["ExtractReport", "extract", "extract_on_ray"]

__getattr__ = lazy_exports(
    __name__,
    {
        "extract.scale.on_ray": ["extract_on_ray"],
        "extract.pipeline": ["extract"],
        "extract.report": ["ExtractReport"],
    },
)
