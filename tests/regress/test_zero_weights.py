"""Rows of weight 0 are left out, everywhere alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from features.errors import InputError
from regress import TunedRidge, evaluate, make_folds
from regress.evaluation.notes import notes
from regress.sweep import sweep
from tests.regress.conftest import MadeUpTask

MakeTask = Callable[..., MadeUpTask]
EXACT = {"rtol": 1e-10, "atol": 1e-10}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("score", [evaluate, sweep])
def test_a_weight_of_zero_leaves_a_row_out(
    make_task: MakeTask, score: Callable[..., Any], weighted: bool
) -> None:
    task = make_task(50)
    weights = np.random.default_rng(0).uniform(0.5, 2, 50) if weighted else np.ones(50)
    weights[[0, 11, 49]] = 0
    folds = make_folds(np.arange(50, dtype=np.uint8)[:, None], task.y).numbers
    found = score(task.bank, task.texts, task.y, sample_weight=weights, folds=folds, models="ridge")
    kept = np.flatnonzero(weights)
    expected = score(
        task.bank, [task.texts[i] for i in kept], task.y[kept], folds=folds[kept],
        sample_weight=weights[kept], models="ridge",
    )  # fmt: skip
    np.testing.assert_allclose(found.best.predictions, expected.best.predictions, **EXACT)
    for name, value in vars(expected.best.scores).items():
        assert getattr(found.best.scores, name) == pytest.approx(value, rel=1e-10), name
    assert "3 of 50 rows are left out: they have a sample weight of 0" in notes(found)
    if not weighted:
        plain = score(
            task.bank, [task.texts[i] for i in kept], task.y[kept], folds=folds[kept],
            models="ridge",
        )  # fmt: skip
        np.testing.assert_allclose(found.best.predictions, plain.best.predictions, **EXACT)


def test_estimators_and_evaluate_take_zero_weights_alike(make_task: MakeTask) -> None:
    task = make_task(40)
    X = task.bank.matrix(task.texts, "mean[-1]")
    weights = np.ones(40)
    weights[5:9] = 0
    kept = weights > 0
    fitted = TunedRidge().fit(X, task.y, sample_weight=weights)
    alone = TunedRidge().fit(X[kept], task.y[kept])
    np.testing.assert_allclose(fitted.predict(X), alone.predict(X), **EXACT)
    for call in (
        lambda: TunedRidge().fit(X, task.y, sample_weight=np.zeros(40)),
        lambda: evaluate(task.bank, task.texts, task.y, sample_weight=np.zeros(40)),
    ):
        with pytest.raises(
            (InputError, ValueError), match="(?i)sample weights (are 0|must contain)"
        ):
            call()
