"""Everything worth trying on a bank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from regress.data.task import drawn_together as drawn_together
    from regress.sweep.procedure import MODELS as MODELS
    from regress.sweep.procedure import sweep as sweep
    from regress.sweep.results import N_BEST as N_BEST
    from regress.sweep.results import AutoResult as AutoResult
    from regress.sweep.results import Sweep as Sweep
    from regress.sweep.results import headline as headline
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "regress.data.task": ["drawn_together"],
            "regress.sweep.procedure": ["MODELS", "sweep"],
            "regress.sweep.results": ["N_BEST", "AutoResult", "Sweep", "headline"],
        },
    )
