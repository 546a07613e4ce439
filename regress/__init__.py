"""Stage 2: regressors on any combination of a bank's blocks, honestly scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from regress.data.folds import Folds as Folds
    from regress.data.folds import make_folds as make_folds
    from regress.data.text_features import TextFeatures as TextFeatures
    from regress.evaluation.metrics import Scores as Scores
    from regress.evaluation.metrics import score as score
    from regress.evaluation.results import Result as Result
    from regress.experiment import Experiment as Experiment
    from regress.experiment import evaluate as evaluate
    from regress.models.kernel_ridge import TunedKernelRidge as TunedKernelRidge
    from regress.models.lightgbm import TunedLightGBM as TunedLightGBM
    from regress.models.pairwise import TunedPairwise as TunedPairwise
    from regress.models.registry import MODELS as MODELS
    from regress.models.ridge import TunedRidge as TunedRidge
    from regress.models.svr import TunedSVR as TunedSVR
    from regress.runs.run import Run as Run
    from regress.runs.run import load_run as load_run
    from regress.runs.saved_model import SavedModel as SavedModel
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "regress.data.folds": ["Folds", "make_folds"],
            "regress.data.text_features": ["TextFeatures"],
            "regress.evaluation.metrics": ["Scores", "score"],
            "regress.evaluation.results": ["Result"],
            "regress.experiment": ["Experiment", "evaluate"],
            "regress.models.kernel_ridge": ["TunedKernelRidge"],
            "regress.models.lightgbm": ["TunedLightGBM"],
            "regress.models.pairwise": ["TunedPairwise"],
            "regress.models.registry": ["MODELS"],
            "regress.models.ridge": ["TunedRidge"],
            "regress.models.svr": ["TunedSVR"],
            "regress.runs.run": ["Run", "load_run"],
            "regress.runs.saved_model": ["SavedModel"],
        },
    )
