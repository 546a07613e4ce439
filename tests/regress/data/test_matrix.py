"""Features by key: no text is hashed again once there is a task."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import features.keys
from features.errors import MissingTexts
from features.keys import text_keys
from regress import TunedSVR, evaluate
from regress.data.matrix import term_matrix
from regress.sweep.procedure import sweep
from tests.regress.conftest import MadeUpTask

QUICK = TunedSVR([0.5], [1.0], [0.1])


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every text that is hashed from here on."""
    hashed: list[object] = []
    text_key = features.keys.text_key

    def counted(text: features.keys.Text) -> bytes:
        hashed.append(text)
        return text_key(text)

    monkeypatch.setattr(features.keys, "text_key", counted)
    return hashed


@pytest.mark.parametrize("memory", [None, 50_000])
def test_evaluating_hashes_each_text_once(
    task: MadeUpTask, hashed: list[object], memory: int | None
) -> None:
    evaluate(
        task.bank, task.texts, task.y, select=["mean[-1]", "mean[:]+max[:]"],
        models=["ridge", QUICK], memory=memory, n_jobs=1,
    )  # fmt: skip
    assert hashed == task.texts


def test_sweeping_hashes_each_text_once(task: MadeUpTask, hashed: list[object]) -> None:
    sweep(task.bank, task.texts, task.y, models=["ridge", QUICK], n_best=1, n_jobs=1)
    assert hashed == task.texts


def test_missing_texts_are_named_by_their_rows(make_task: Callable[..., MadeUpTask]) -> None:
    task = make_task(30)
    texts = [*task.texts[:20], "unknown", *task.texts[20:29], "unknown", "unknown too"]
    y = np.arange(len(texts), dtype=np.float64)
    for call in (evaluate, sweep):
        for memory in (None, 50_000):
            with pytest.raises(MissingTexts, match="lacks 2 of") as caught:
                call(task.bank, texts, y, memory=memory)
            assert list(caught.value.positions) == [20, 30, 31]


def test_terms_of_several_banks_stand_side_by_side(make_task: Callable[..., MadeUpTask]) -> None:
    task, other = make_task(20, name="a.bank"), make_task(20, name="b.bank", hidden=3)
    banks = {bank.name: bank for bank in (task.bank, other.bank)}
    a, b = task.bank.resolve("mean[1:]"), other.bank.resolve("avg(max[:])+cls[1]")
    keys = text_keys(task.texts[::-1])
    X = term_matrix(banks, keys, [*b, *a, *b])
    expected = [
        other.bank.matrix(task.texts[::-1], "avg(max[:])+cls[1]"),
        task.bank.matrix(task.texts[::-1], "mean[1:]"),
    ]
    np.testing.assert_array_equal(X, np.hstack([expected[0], expected[1], expected[0]]))
