"""Stage 2: regressors on any combination of a bank's blocks, honestly scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from regress.data.folds import Folds, make_folds
    from regress.data.text_features import TextFeatures
    from regress.evaluation.metrics import Scores, score
    from regress.evaluation.results import Result
    from regress.experiment import Experiment, evaluate
    from regress.models.kernel_ridge import TunedKernelRidge
    from regress.models.lightgbm import TunedLightGBM
    from regress.models.pairwise import TunedPairwise
    from regress.models.registry import MODELS
    from regress.models.ridge import TunedRidge
    from regress.models.svr import TunedSVR
    from regress.runs.run import Run, load_run
    from regress.runs.saved_model import SavedModel

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
        "regress.models.lightgbm": ["TunedLightGBM"],
        "regress.evaluation.results": ["Result"],
        "regress.experiment": ["Experiment", "evaluate"],
        "regress.data.folds": ["Folds", "make_folds"],
        "regress.models.kernel_ridge": ["TunedKernelRidge"],
        "regress.evaluation.metrics": ["Scores", "score"],
        "regress.models.pairwise": ["TunedPairwise"],
        "regress.runs.run": ["load_run", "Run"],
        "regress.runs.saved_model": ["SavedModel"],
        "regress.models.registry": ["MODELS"],
        "regress.models.ridge": ["TunedRidge"],
        "regress.models.svr": ["TunedSVR"],
        "regress.data.text_features": ["TextFeatures"],
    },
)
