"""Stage 2: regressors on any combination of a bank's blocks, honestly scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from regress.boosting import TunedLightGBM
    from regress.experiment import Experiment, Result, evaluate
    from regress.folds import Folds, make_folds
    from regress.kernel_ridge import TunedKernelRidge
    from regress.metrics import Scores, score
    from regress.pairwise import TunedPairwise
    from regress.persistence import load_run
    from regress.registry import MODELS
    from regress.ridge import TunedRidge
    from regress.run import Run, SavedModel
    from regress.svr import TunedSVR
    from regress.text_features import TextFeatures

__all__ = [
    "MODELS",
    "Experiment",
    "Folds",
    "Result",
    "Run",
    "SavedModel",
    "Scores",
    "TextFeatures",
    "TunedKernelRidge",
    "TunedLightGBM",
    "TunedPairwise",
    "TunedRidge",
    "TunedSVR",
    "evaluate",
    "load_run",
    "make_folds",
    "score",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "regress.boosting": ["TunedLightGBM"],
        "regress.experiment": ["Experiment", "Result", "evaluate"],
        "regress.folds": ["Folds", "make_folds"],
        "regress.kernel_ridge": ["TunedKernelRidge"],
        "regress.metrics": ["Scores", "score"],
        "regress.pairwise": ["TunedPairwise"],
        "regress.persistence": ["load_run"],
        "regress.registry": ["MODELS"],
        "regress.ridge": ["TunedRidge"],
        "regress.run": ["Run", "SavedModel"],
        "regress.svr": ["TunedSVR"],
        "regress.text_features": ["TextFeatures"],
    },
)
