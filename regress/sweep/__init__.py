"""Everything worth trying on a bank."""

from features.lazy import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "regress.sweep.procedure": ["sweep", "MODELS"],
        "regress.sweep.results": ["Sweep", "AutoResult", "headline", "N_BEST"],
        "regress.data.task": ["drawn_together"],
    },
)
