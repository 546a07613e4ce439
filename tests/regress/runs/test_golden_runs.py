"""Runs that people saved stay readable: golden ones of every version load, predict and explain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regress import load_run
from regress.runs.format import VERSION
from tests.regress.runs.golden.make import NEW, RUNS, TEXTS, explanations

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = sorted(int(path.name.removeprefix("version-")) for path in GOLDEN.glob("version-?"))
#: Of sums of a few dozen numbers near one, in whichever order a processor adds them.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def recorded(version: int) -> dict[str, Any]:
    text = (GOLDEN / f"version-{version}" / "expected.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


CASES = [
    pytest.param(version, run, model, id=f"{version}-{run}-{model}")
    for version in VERSIONS
    for run, models in recorded(version).items()
    for model in models
]


def test_the_present_version_has_golden_runs() -> None:
    assert max(VERSIONS) == VERSION
    assert recorded(VERSION).keys() == RUNS.keys()


@pytest.mark.parametrize(("version", "name", "model"), CASES)
def test_a_golden_run_predicts_and_explains_for_ever(version: int, name: str, model: str) -> None:
    expected = recorded(version)[name][model]
    folder = GOLDEN / f"version-{version}"
    run, bank = load_run(folder / name), str(folder / RUNS[name])
    texts = [*NEW, *TEXTS[:2]]
    label = None if model == "null" else model  # JSON's None: the best of each target
    predictions = run.predict(texts, bank, model=label)
    np.testing.assert_allclose(predictions, expected["predictions"], **CLOSE)
    found = explanations(run, texts, bank, label)
    for explanation, before in zip(found, expected["explanations"], strict=True):
        assert [*explanation.blocks] == [*before["blocks"]]
        assert [near.id for near in explanation.neighbours] == [i for i, _ in before["neighbours"]]
        numbers = [explanation.base, *explanation.blocks.values()]
        numbers += [near.similarity for near in explanation.neighbours]
        old = [before["base"], *before["blocks"].values(), *(s for _, s in before["neighbours"])]
        np.testing.assert_allclose(numbers, old, **CLOSE)
