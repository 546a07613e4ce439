"""Blending runs."""

from features.lazy import lazy_exports

__getattr__ = lazy_exports(
    __name__, {"regress.blend.blending": ["blend", "Blend", "Blended", "HONEST", "STACKED"]}
)
