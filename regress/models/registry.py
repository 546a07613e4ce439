"""The regressors by the names that ``--model`` knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from features.errors import InputError
from regress.models.base import FittedModel
from regress.models.estimator import TunedRegressor
from regress.models.kernel_ridge import TunedKernelRidge
from regress.models.lightgbm import BoostedModel, TunedLightGBM
from regress.models.pairwise import TunedPairwise
from regress.models.rbf import RBFModel
from regress.models.ridge import RidgeModel, TunedRidge
from regress.models.svr import TunedSVR

#: Each regressor, and what a saved one is read back as.
MODELS: dict[str, tuple[type[TunedRegressor], type[FittedModel]]] = {
    "ridge": (TunedRidge, RidgeModel),
    "krr": (TunedKernelRidge, RBFModel),
    "svr": (TunedSVR, RBFModel),
    "lightgbm": (TunedLightGBM, BoostedModel),
    "pairwise": (TunedPairwise, RBFModel),
}


def named_regressors(
    models: str | TunedRegressor | Iterable[str | TunedRegressor], random_state: int = 0
) -> dict[str, TunedRegressor]:
    """Regressors by name, each name once, and the base of each that has one.

    Raises
    ------
    InputError
        An unknown name, a class that is not registered, or nothing at all.
    """
    several = [models] if isinstance(models, (str, TunedRegressor)) else list(models)
    named: dict[str, TunedRegressor] = {}
    for model in several:
        if isinstance(model, str):
            if model not in MODELS:
                near = difflib.get_close_matches(model, MODELS, 1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise InputError(
                    f"there is no regressor {model!r}{hint}: it is one of {', '.join(MODELS)}"
                )
            named[model] = MODELS[model][0](random_state=random_state)
        else:
            named[name_of(model)] = model
    for regressor in [*named.values()]:
        if regressor.base is not None and regressor.base not in named:
            named[regressor.base] = MODELS[regressor.base][0](random_state=random_state)
    if not named:
        raise InputError(f"name at least one regressor: {', '.join(MODELS)}")
    return named


def name_of(regressor: TunedRegressor) -> str:
    """The name under which a regressor's class is registered."""
    for name, (kind, _) in MODELS.items():
        if type(regressor) is kind:
            return name
    raise InputError(f"{type(regressor).__name__} is not registered in regress.registry.MODELS")
