"""Blends: what they weigh, what they refuse, and that they live alone."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import InputError, RunError
from regress import evaluate, load_run
from regress.blend import HONEST, STACKED, blend, save_blend
from regress.blend.output import blend_text
from regress.blend.weights import METHODS
from regress.evaluation.metrics import rmse
from regress.sweep import save_sweep, sweep
from tests.regress.blend.runs import QUICK, two_runs
from tests.regress.conftest import MadeUpTask

pytestmark = pytest.mark.usefixtures("without_reports")

MakeTask = Callable[..., MadeUpTask]


def forget_hashes(run: Path) -> None:
    """Make it a run of before, which said nothing of what oof.csv hashes to."""
    description = json.loads((run / "run.json").read_text(encoding="utf-8"))
    del description["sha256"]
    (run / "run.json").write_text(json.dumps(description), encoding="utf-8")


@pytest.mark.parametrize("method", METHODS)
def test_a_blend_is_no_worse_than_its_bases_and_lives_alone(
    make_task: MakeTask, tmp_path: Path, method: str
) -> None:
    task = make_task(100)
    runs = two_runs(task, tmp_path)
    blended = blend(runs, method=method)
    [target] = blended.targets
    assert target.label == STACKED
    assert target.scores.rmse < 1.02 * target.best
    assert target.naive_rmse <= target.scores.rmse + 1e-9
    expected = target.weights.intercept + sum(
        weight * base.saved.fitted.predict(task.bank.matrix(task.texts, base.saved.select))
        for weight, base in zip(target.weights.values, target.bases, strict=True)
    )
    saved = save_blend(blended, tmp_path / "blend")
    for run in runs:
        shutil.rmtree(run)
    np.testing.assert_allclose(load_run(saved).predict(task.texts), expected, atol=1e-9)
    with (saved / "oof.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    written = np.array([float(row["blend"]) for row in rows])
    np.testing.assert_array_equal(written, target.predictions)


def test_weights_of_a_fold_never_see_it(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(60)
    runs = two_runs(task, tmp_path)
    [before] = blend(runs).targets
    for run in runs:
        table = run / "oof.csv"
        with table.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file))
        column = header.index("target")
        for row in rows:
            row[column] = "1e3" if row[header.index("fold")] == "1" else row[column]
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        forget_hashes(run)
    held = np.array([row[header.index("fold")] == "1" for row in rows])
    [after] = blend(runs).targets
    np.testing.assert_allclose(after.predictions[held], before.predictions[held])
    assert rmse(after.predictions[~held], before.predictions[~held]) > 1e-3


def test_sweeps_blend_honestly_and_blends_blend_again(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(60)
    swept = sweep(task.bank, task.texts, task.y, models=QUICK[:2], n_best=1, greedy=False)
    run = save_sweep(swept, tmp_path / "swept")
    target = blend([run]).targets[0]
    assert target.label == HONEST
    assert len(target.bases) == 3
    saved = save_blend(blend([run]), tmp_path / "blend")
    again = blend([saved, *two_runs(task, tmp_path)])
    assert again.targets[0].label == STACKED
    twice = save_blend(again, tmp_path / "twice")
    assert np.isfinite(load_run(twice).predict(task.texts[:3])).all()


def test_other_folds_are_refused(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(40)
    one = evaluate(task.bank, task.texts, task.y).save(tmp_path / "one")
    two = evaluate(task.bank, task.texts, task.y, random_state=1).save(tmp_path / "two")
    fewer = evaluate(task.bank, task.texts[:39], task.y[:39]).save(tmp_path / "fewer")
    with pytest.raises(InputError, match="different folds"):
        blend([one, two])
    with pytest.raises(InputError, match="different texts"):
        blend([one, fewer])
    with pytest.raises(InputError, match="one cannot be blended"):
        blend([one, one])
    with pytest.raises(InputError, match="no method 'mean'"):
        blend([one, two], method="mean")
    with pytest.raises(RunError, match="no run folder"):
        blend([one, tmp_path / "none"])


def test_banks_of_one_name_are_told_apart(make_task: MakeTask, tmp_path: Path) -> None:
    one = make_task(50, name="same.bank")
    (tmp_path / "b").mkdir()
    other = make_task(50, name="b/same.bank", hidden=4)
    runs = [
        evaluate(task.bank, task.texts, task.y).save(tmp_path / f"run{task.bank.hidden_size}")
        for task in (one, other)
    ]
    saved = load_run(save_blend(blend(runs), tmp_path / "blend"))
    assert [bank["name"] for bank in saved.banks] == ["same", "same-2"]
    assert np.isfinite(saved.predict(one.texts)).all()


def test_a_target_is_not_called_like_the_blend(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(50)
    run = evaluate(
        task.bank, task.texts, task.y, models=QUICK[:2], target_names=["blend"]
    ).save(tmp_path / "run")  # fmt: skip
    blended = blend([run])
    with pytest.raises(InputError, match="the target cannot be called 'blend', as predictions"):
        save_blend(blended, tmp_path / "blended")
    assert not (tmp_path / "blended").exists()


def test_a_blend_keeps_no_columns_of_blends_in_it(make_task: MakeTask, tmp_path: Path) -> None:
    """They would be taken for those of its own members of the same names."""
    runs = two_runs(make_task(50), tmp_path)
    first = save_blend(blend(runs), tmp_path / "first")
    other = tmp_path / "elsewhere" / "one"
    task = make_task(50, name="again.bank")
    evaluate(task.bank, task.texts, task.y, select="mean[1]").save(other)
    again = save_blend(blend([first, other]), tmp_path / "again")
    with (again / "oof.csv").open(encoding="utf-8") as file:
        header = next(csv.reader(file))
    assert header == ["row", "fold", "target", "first: blend", "one: ridge mean[1]", "blend"]


def test_blends_are_weighted_and_mean_over_repeats(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(60)
    weights = np.random.default_rng(0).uniform(0.2, 4, 60)
    options: dict[str, Any] = {"models": QUICK[:2], "sample_weight": weights}

    def blended(name: str, seeds: Any) -> Any:
        run = evaluate(task.bank, task.texts, task.y, random_state=seeds, **options)
        return blend([run.save(tmp_path / name)])

    both = blended("both", [3, 4])
    alone = [blended(f"seed{seed}", seed).targets[0] for seed in (3, 4)]
    [target] = both.targets
    assert target.scores.rmse == pytest.approx(np.mean([each.scores.rmse for each in alone]))
    assert target.scores.rmse != pytest.approx(rmse(task.y, target.predictions))
    np.testing.assert_allclose(
        target.weights.values, np.mean([each.weights.values for each in alone], axis=0)
    )
    np.testing.assert_allclose(target.repeats[0].predictions, alone[1].predictions, atol=1e-9)
    saved = save_blend(both, tmp_path / "blend")
    again = blend([saved, tmp_path / "both"]).targets[0]
    assert {base.saved.model for base in again.bases} == {"blend", "ridge", "svr"}
    assert "means over 2 splits" in blend_text(both)
    plain = evaluate(task.bank, task.texts, task.y, random_state=3).save(tmp_path / "plain")
    with pytest.raises(InputError, match="different target values or weights"):
        blend([tmp_path / "seed3", plain])
    with pytest.raises(InputError, match="different folds"):
        blend([tmp_path / "seed3", tmp_path / "both"])


@pytest.mark.parametrize("method", METHODS)
def test_a_weight_is_how_often_a_row_counts(method: str) -> None:
    rng = np.random.default_rng(0)
    y, folds, times = rng.standard_normal(40), np.arange(40) % 4, rng.integers(1, 4, 40)
    A = y[:, None] + rng.standard_normal((40, 3)) * [0.5, 1, 2]
    weighted = METHODS[method](A, y, folds, times.astype(float))
    repeated = METHODS[method](A.repeat(times, 0), y.repeat(times), folds.repeat(times), None)
    np.testing.assert_allclose(weighted.values, repeated.values, rtol=1e-6)
    assert weighted.intercept == pytest.approx(repeated.intercept)


def test_folds_are_those_that_inner_predictions_number(make_task: MakeTask, tmp_path: Path) -> None:
    """Sorted as text, 10 would come before 9."""
    task = make_task(45)
    found = []
    for name, labels in (("numbers", "0 1 2"), ("others", "8 9 10")):
        swept = sweep(
            task.bank, task.texts, task.y, folds=labels.split() * 15, models=QUICK[:2], n_best=1,
            greedy=False,
        )  # fmt: skip
        found.append(blend([save_sweep(swept, tmp_path / name)]).targets[0])
    # Two sweeps: LAPACK may add in another order where its arrays lie otherwise.
    np.testing.assert_allclose(found[0].predictions, found[1].predictions, rtol=0, atol=1e-9)
