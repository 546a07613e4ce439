"""The experiment that most tests of reports look at, evaluated once for each file of tests."""

from __future__ import annotations

import pytest

from regress import Experiment, TunedSVR, evaluate
from tests.regress.conftest import made_up_task
from tests.regress.report.pages import BLOCKS


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """Every block and a combination with two regressors, in groups."""
    task = made_up_task(tmp_path_factory.mktemp("task"))
    return evaluate(
        task.bank,
        task.texts,
        task.y,
        select=[*BLOCKS, "mean[:]"],
        models=["ridge", TunedSVR([0.5], [1.0], [0.1])],
        groups=[f"author {i % 4}" for i in range(90)],
        ids=[f"{i:03d}" for i in range(90)],
    )
