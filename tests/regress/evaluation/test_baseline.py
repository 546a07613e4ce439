"""The baseline that predicts the training mean: nested, in every table, and ranked in none."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from regress import evaluate
from regress.data.folds import Folds
from regress.evaluation.baseline import BASELINE, training_mean
from regress.report.notebook import experiment_html
from regress.report.tables import results_text
from regress.runs.format import results_json
from tests.regress.conftest import MadeUpTask

MakeTask = Callable[..., MadeUpTask]


def folds_of(numbers: list[int]) -> Folds:
    return Folds(np.array(numbers), max(numbers) + 1, "plain", 0, "")


@pytest.mark.parametrize("weighted", [False, True])
def test_each_fold_gets_the_mean_of_the_others(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    y, numbers = rng.normal(1e6, 1.0, 31), [*rng.permutation([*range(4)] * 7 + [0, 1, 1])]
    weights = rng.uniform(0.5, 2.0, 31) if weighted else None
    found = training_mean(y, folds_of(numbers), weights)
    for row, fold in enumerate(numbers):
        rest = np.array(numbers) != fold
        own = None if weights is None else weights[rest]
        assert found[row] == pytest.approx(np.average(y[rest], weights=own), rel=1e-12)


def test_its_r2_is_never_above_nothing() -> None:
    """Against the mean of all rows, which it does not know, it can only lose."""
    y = np.arange(12.0)
    found = training_mean(y, folds_of([0, 1, 2] * 4))
    assert np.sum((y - found) ** 2) >= np.sum((y - y.mean()) ** 2)


def test_every_table_has_it_and_none_ranks_it(make_task: MakeTask) -> None:
    task = make_task(60)
    experiment = evaluate(
        task.bank, task.texts, task.y, select=["mean[-1]", "cls[0]"], random_state=[0, 1]
    )
    baseline = experiment.baseline("target")
    row = baseline.row
    splits = [experiment.folds, *experiment.repeats]
    each = [np.sqrt(np.mean((task.y - training_mean(task.y, f)) ** 2)) for f in splits]
    assert row.scores.rmse == pytest.approx(np.mean(each))
    assert row.label == BASELINE
    assert baseline.verdict == "worse"
    assert BASELINE not in {standing.row.label for standing in experiment.standings("target")}
    assert experiment.best.select == "mean[-1]"
    assert experiment.table["rmse"].iloc[-1] == row.scores.rmse
    found = json.loads(results_json(experiment, "run"))
    assert found["baseline"]["target"]["rmse"] == row.scores.rmse
    assert len(found["results"]) == 2
    assert BASELINE in experiment_html(experiment)
    assert "means over 2 splits" in experiment_html(experiment)  # the notes
    shown = str(experiment)
    assert shown == results_text(experiment).plain
    # Notes are sentences; the table below them is what has to fit.
    lines = shown.splitlines()
    last = next(line for line in lines if line.endswith(BASELINE))
    assert last.split()[0] == f"{row.scores.rmse:.4f}"
    assert BASELINE not in experiment.oof.columns


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e4, 1e9])
def test_long_selections_fit_80_columns(make_task: MakeTask, scale: float) -> None:
    task = make_task(60)
    select = "+".join(f"{p}[{i}]" for p in ("mean", "max", "cls") for i in (0, 1, 2))
    lines = str(evaluate(task.bank, task.texts, scale * task.y, select=select)).splitlines()
    table = lines[next(i for i, line in enumerate(lines) if "± se" in line) :]
    assert max(map(len, table)) <= 80
    assert select in "".join(line.strip() for line in table)
    assert float(table[1].split()[0]) > 0
