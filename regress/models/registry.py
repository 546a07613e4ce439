"""The regressors by the names that ``--model`` knows; a user's own is one class and one line.

The class derives from `TunedRegressor`, takes `cv`, `random_state` and `n_jobs`, and names in
`model_class` the kind of model that it fits, which knows how to save and to load itself. The line
stands anywhere before the regressor is used, or a run that holds it is loaded::

    from layerbank import MODELS

    MODELS["neighbours"] = TunedNeighbours

From then on it is fitted, searched, blended, explained, saved and read like any other.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from features.errors import InputError
from regress.models.estimator import TunedRegressor
from regress.models.kernel_ridge import TunedKernelRidge
from regress.models.lightgbm import TunedLightGBM
from regress.models.pairwise import TunedPairwise
from regress.models.ridge import TunedRidge
from regress.models.svr import TunedSVR

MODELS: dict[str, type[TunedRegressor]] = {
    "ridge": TunedRidge,
    "krr": TunedKernelRidge,
    "svr": TunedSVR,
    "lightgbm": TunedLightGBM,
    "pairwise": TunedPairwise,
}


def named_regressors(models: Any, random_state: int = 0) -> dict[str, TunedRegressor]:
    """Regressors by name, each name once, and the base of each that has one.

    Raises
    ------
    InputError
        An unknown name, a class that is not registered, or nothing at all.
    """
    one = isinstance(models, str) or not isinstance(models, Iterable)
    several: list[Any] = [models] if one else [*models]
    named: dict[str, TunedRegressor] = {}
    for model in several:
        if isinstance(model, str):
            named[model] = _new(model, random_state)
        else:
            named[name_of(model)] = model
    for regressor in [*named.values()]:
        if regressor.base is not None and regressor.base not in named:
            named[regressor.base] = _new(regressor.base, random_state)
    if not named:
        raise InputError(f"name at least one regressor: {', '.join(MODELS)}")
    return named


def name_of(regressor: Any) -> str:
    """The name under which a regressor's class is registered."""
    for name, regressor_class in MODELS.items():
        if type(regressor) is regressor_class:
            return name
    if isinstance(regressor, type):
        raise InputError(f"{regressor.__name__} is a class: give {regressor.__name__}()")
    if not isinstance(regressor, TunedRegressor):
        raise InputError(
            f"{regressor!r:.60} is no regressor that tunes itself inside the folds: give a name "
            f"({', '.join(MODELS)}), or one set up otherwise, such as TunedRidge(alphas=[1, 10])"
        )
    raise InputError(
        f"{type(regressor).__name__} is not registered: add it to layerbank.MODELS under a name"
    )


def _new(name: str, random_state: int) -> TunedRegressor:
    if name not in MODELS:
        near = difflib.get_close_matches(name, MODELS, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise InputError(f"there is no regressor {name!r}{hint}: it is one of {', '.join(MODELS)}")
    return MODELS[name](random_state=random_state)
