"""The plain, slow way: scikit-learn's own classes, fold by fold. What the fast way is held to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from regress.data.folds import Folds


def splits(folds: Folds) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training rows, held-out rows) of each outer fold."""
    numbers = range(folds.n_folds)
    return [
        (np.flatnonzero(folds.numbers != k), np.flatnonzero(folds.numbers == k)) for k in numbers
    ]


def assert_saved(loaded: Any, model: Any) -> None:
    """A model of arrays came back number by number; what BLAS makes of them is another matter."""
    assert type(loaded) is type(model)
    assert vars(loaded).keys() == vars(model).keys()
    for name, value in vars(model).items():
        np.testing.assert_array_equal(getattr(loaded, name), value, strict=True)


def nested_predictions(
    pipeline: Any, grid: Callable[[int], dict[str, Any]], X: Any, y: Any, folds: Folds
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Nested predictions by GridSearchCV, whose inner folds are the other outer folds.

    `grid` gives the parameter grid for a number of training columns.
    """
    predicted, chosen = np.empty(len(y)), []
    for train, test in splits(folds):
        inner = PredefinedSplit(np.unique(folds.numbers[train], return_inverse=True)[1])
        search = GridSearchCV(
            pipeline, grid(X.shape[1]), scoring="neg_mean_squared_error", cv=inner
        )
        search.fit(X[train], y[train])
        predicted[test] = search.predict(X[test])
        chosen.append(search.best_params_)
    return predicted, chosen
