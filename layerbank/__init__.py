"""layerbank: run a frozen text encoder once, keep every layer, fit regressors in seconds.

The front door over the three stages. ``from layerbank import extract, Bank, evaluate``: each name
is imported when it is first used, so that importing this package and ``layerbank --help`` load none
of torch, scikit-learn, pandas and h5py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerbank.rooms import import_rooms

# First: where a module of the user hides one of ours, it says so, and no other import would.
import_rooms()

from features.lazy import lazy_exports  # noqa: E402

if TYPE_CHECKING:
    from extract import extract as extract
    from extract import extract_on_ray as extract_on_ray
    from features import Bank as Bank
    from features import LayerbankError as LayerbankError
    from features import Selection as Selection
    from features import open_banks as open_banks
    from layerbank.python import fit as fit
    from layerbank.python import load_run as load_run
    from layerbank.version import __version__ as __version__
    from regress import MODELS as MODELS
    from regress import TextFeatures as TextFeatures
    from regress import TunedKernelRidge as TunedKernelRidge
    from regress import TunedLightGBM as TunedLightGBM
    from regress import TunedPairwise as TunedPairwise
    from regress import TunedRidge as TunedRidge
    from regress import TunedSVR as TunedSVR
    from regress import evaluate as evaluate
    from regress import make_folds as make_folds
    from regress.blend import blend as blend
    from regress.sweep import sweep as sweep
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "extract": ["extract", "extract_on_ray"],
            "features": ["Bank", "LayerbankError", "Selection", "open_banks"],
            "layerbank.python": ["fit", "load_run"],
            "layerbank.version": ["__version__"],
            "regress": [
                "MODELS",
                "TextFeatures",
                "TunedKernelRidge",
                "TunedLightGBM",
                "TunedPairwise",
                "TunedRidge",
                "TunedSVR",
                "evaluate",
                "make_folds",
            ],
            "regress.blend": ["blend"],
            "regress.sweep": ["sweep"],
        },
    )


def main() -> None:
    """Entry of the ``layerbank`` command."""
    from layerbank.cli import main

    main()
