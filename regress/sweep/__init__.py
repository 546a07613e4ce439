"""Everything worth trying on a bank, and an honest score of having tried it all.

::

    from regress.sweep import save_sweep, sweep

    swept = sweep("clear.bank", texts, targets)
    swept.leaderboard  # every candidate, the lowest nested RMSE first
    swept.best  # "auto", the whole procedure: its score is what to expect of its winner
    save_sweep(swept, "swept")

`procedure` tells the story. Below it, `search` goes through the stages, `choice` says what is
chosen of the candidates, and `fitting` fits them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from regress.sweep.procedure import DEFAULT_MODELS as DEFAULT_MODELS
    from regress.sweep.procedure import sweep as sweep
    from regress.sweep.results import N_BEST as N_BEST
    from regress.sweep.results import AutoResult as AutoResult
    from regress.sweep.results import Sweep as Sweep
    from regress.sweep.save import save_sweep as save_sweep
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "regress.sweep.procedure": ["DEFAULT_MODELS", "sweep"],
            "regress.sweep.results": ["N_BEST", "AutoResult", "Sweep"],
            "regress.sweep.save": ["save_sweep"],
        },
    )
