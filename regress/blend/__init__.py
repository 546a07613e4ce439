"""Blends: the models of several runs, weighted by what they predict out of fold.

::

    from regress.blend import blend, save_blend

    blended = blend(["regressed", "swept"])
    blended.targets[0].named_weights  # how much of each model, by the run's name and its own
    save_blend(blended, "blended")  # a run, which lives without the others

`blending` tells the story: `bases` reads what the runs bring, and `weights` weighs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from regress.blend.blended import HONEST as HONEST
    from regress.blend.blended import STACKED as STACKED
    from regress.blend.blended import Blend as Blend
    from regress.blend.blended import Blended as Blended
    from regress.blend.blending import blend as blend
    from regress.blend.save import save_blend as save_blend
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "regress.blend.blended": ["HONEST", "STACKED", "Blend", "Blended"],
            "regress.blend.blending": ["blend"],
            "regress.blend.save": ["save_blend"],
        },
    )
