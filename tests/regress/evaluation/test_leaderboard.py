"""One rule decides what ties with the best: everywhere, and as resampling the rows would."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from regress import Experiment, TunedSVR, evaluate, load_run
from regress.evaluation.leaderboard import LeaderboardRow, leaderboard_row, standings
from regress.evaluation.metrics import Z95, Difference
from regress.report.notebook import MAX_ROWS, experiment_html
from regress.report.tables import SHOWN, leaderboard_text
from regress.sweep import save_sweep, sweep
from regress.sweep.output import sweep_json
from tests.regress.conftest import MadeUpTask

MakeTask = Callable[..., MadeUpTask]
BLOCKS = [f"{pooling}[{layer}]" for pooling in ("cls", "mean", "max") for layer in range(3)]


class Resampled(NamedTuple):
    """A difference from the best, and its 95 % interval over resamples of the rows."""

    behind: float
    low: float
    high: float


def bootstrap(y: np.ndarray, rows: list[LeaderboardRow], units: np.ndarray) -> list[Resampled]:
    """Units of rows drawn with replacement, the same ones for all; the first row is the best."""
    squared = np.stack([(row.splits() - y) ** 2 for row in rows])
    n_units = int(units.max()) + 1
    rng = np.random.default_rng(0)
    drawn = np.empty((2000, len(rows)))
    for sample in drawn:
        times = np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)[units]
        sample[:] = np.sqrt(squared @ times / times.sum()).mean(axis=1)
    low, high = np.quantile(drawn - drawn[:, [0]], [0.025, 0.975], axis=0)
    means = np.sqrt(squared.mean(axis=2)).mean(axis=1)
    return [*map(Resampled, means - means[0], low, high)]


def evaluated(task: MadeUpTask, **options: Any) -> Experiment:
    return evaluate(
        task.bank, task.texts, task.y, select=[*BLOCKS, "mean[:]"],
        models=["ridge", TunedSVR([0.5], [1.0], [0.1])], **options,
    )  # fmt: skip


@pytest.mark.parametrize("n_splits", [1, 3])
@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_are_those_of_a_paired_bootstrap(
    make_task: MakeTask, grouped: bool, n_splits: int
) -> None:
    experiment = evaluated(make_task(), random_state=[*range(n_splits)])
    y = experiment.task.Y[:, 0]
    units = np.arange(90) // 2 if grouped else np.arange(90)
    found = standings(y, experiment.rows("target"), units if grouped else None)
    assert (found[0].verdict, found[0].behind) == ("best", Difference(0.0, 0.0))
    assert found[0].row.predictions is experiment.best.predictions
    assert found[0].row.splits().shape == (n_splits, 90)
    resampled = bootstrap(y, [standing.row for standing in found], units)
    for standing, expected in zip(found[1:], resampled[1:], strict=True):
        behind = standing.behind
        assert behind.value == pytest.approx(expected.behind)
        assert behind.se == pytest.approx((expected.high - expected.low) / (2 * Z95), rel=0.15)
        assert standing.verdict == ("tie" if behind.value <= Z95 * behind.se else "worse")


def test_noise_ties_and_what_is_far_off_does_not(make_task: MakeTask) -> None:
    experiment = evaluate(*make_task(400))
    task, y = experiment.task, experiment.task.Y[:, 0]
    noise = np.random.default_rng(0).standard_normal((3, 400)) * [[1.0], [1.005], [1.8]]

    def scored(errors: np.ndarray) -> LeaderboardRow:
        return leaderboard_row(
            "result", "ridge", "mean[0]", (), 6, task=task, target=0, folds=experiment.folds,
            predictions=[y + errors], naive_rmse=1.0, params={},
        )  # fmt: skip

    rows = [scored(errors) for errors in noise]
    best, tie, far = standings(y, rows)
    assert [best.verdict, tie.verdict, far.verdict] == ["best", "tie", "worse"]
    assert far.behind.low < far.behind.value < far.behind.high
    together = standings(y, rows, np.arange(400) // 4)
    assert together[2].behind.value == far.behind.value
    assert together[2].behind.se != far.behind.se


def test_every_table_says_the_same_of_what_ties(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(60)
    swept = sweep(task.bank, task.texts, task.y, models=["ridge"], greedy=False)
    found = swept.standings("target")
    verdicts = [standing.verdict for standing in found]
    ties = [verdict != "worse" for verdict in verdicts]
    assert 1 < sum(ties) < len(ties)

    folder = save_sweep(swept, tmp_path / "swept")
    board = pd.read_csv(folder / "leaderboard.csv")
    assert board["kind"].iloc[-1] == "baseline"
    board = board[:-1]
    assert [*board["ties"]] == ties
    np.testing.assert_allclose(board["behind_low"], [standing.behind.low for standing in found])
    np.testing.assert_allclose(board["behind_high"], [standing.behind.high for standing in found])
    assert (
        json.loads(sweep_json(swept, "run"))["leaderboard"]
        == load_run(folder).description["sweep"]["leaderboard"]
    )
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert re.findall('<tr class="(best|tie|worse)">', report) == verdicts
    shown = leaderboard_text(swept, "target").plain.splitlines()[1 : 1 + SHOWN]
    told = [{"★": "best", "=": "tie"}.get(line.split()[2], "worse") for line in shown]
    assert told == verdicts[:SHOWN]
    rows = experiment_html(swept).split("<tr")[2 : 2 + MAX_ROWS]
    assert [("★" in row, "=</td>" in row) for row in rows] == [
        (verdict == "best", verdict == "tie") for verdict in verdicts[:MAX_ROWS]
    ]
