"""Blending runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from regress.blend.blending import HONEST as HONEST
    from regress.blend.blending import STACKED as STACKED
    from regress.blend.blending import Blend as Blend
    from regress.blend.blending import Blended as Blended
    from regress.blend.blending import blend as blend
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__, {"regress.blend.blending": ["HONEST", "STACKED", "Blend", "Blended", "blend"]}
    )
