"""Stage 1: texts become pooled vectors of every layer of a frozen encoder, kept in a bank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from extract.pipeline import extract as extract
    from extract.report import ExtractReport as ExtractReport
    from extract.scale.on_ray import extract_on_ray as extract_on_ray
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "extract.pipeline": ["extract"],
            "extract.report": ["ExtractReport"],
            "extract.scale.on_ray": ["extract_on_ray"],
        },
    )
