"""The whole experiment: what is scored, and that the scores do not flatter."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.errors import InputError, MissingTexts, SelectionError
from regress import TunedLightGBM, TunedSVR, evaluate, load_run
from regress.evaluation.notes import notes
from regress.models.ridge import ALPHAS
from regress.sweep import sweep
from tests.regress.conftest import MadeUpTask, fill
from tests.regress.plain import nested_predictions

MakeTask = Callable[..., MadeUpTask]
QUICK = ["ridge", TunedSVR([0.5], [1.0, 4.0], [0.1]), TunedLightGBM(40, 10)]
#: Of the same fits made twice: LAPACK may add in another order where its arrays lie otherwise.
SAME_FITS = {"rtol": 0, "atol": 1e-9}


def test_the_table_tells_the_story(make_task: MakeTask) -> None:
    bank, texts, y = make_task()
    experiment = evaluate(bank, texts, y, select=["mean[0]", "mean[-1]", "*[:]"], models=QUICK)
    table = experiment.table
    assert list(table.columns) == [
        "rmse", "se", "r2", "model", "select", "mae", "pearson", "spearman", "naive_rmse",
        "seconds", "params",
    ]  # fmt: skip
    assert table["model"].iloc[-1] == "training mean"
    table = table[:-1]
    assert len(table) == 9
    assert table["rmse"].is_monotonic_increasing
    ridge = table[table["model"] == "ridge"].set_index("select")
    assert ridge.loc["mean[-1]", "rmse"] < 0.8 * ridge.loc["mean[0]", "rmse"]
    assert ridge.loc["mean[0]", "r2"] < 0.1
    assert (table["seconds"] > 0).all()
    best = experiment.best
    assert best.scores.rmse == pytest.approx(np.sqrt(np.mean((best.predictions - y) ** 2)))
    assert len(best.fold_rmse) == len(best.fold_params) == 5


@pytest.mark.parametrize("select", ["mean[-1]", "cls[0]+mean[:]", "*[:]"])
def test_ridge_is_plain_nested_ridge_on_the_banks_matrix(make_task: MakeTask, select: str) -> None:
    bank, texts, y = make_task()
    experiment = evaluate(bank, texts, y, select=select)
    expected, _ = nested_predictions(
        make_pipeline(StandardScaler(), Ridge(solver="cholesky")),
        lambda _: {"ridge__alpha": ALPHAS},
        bank.matrix(texts, select, dtype=np.float64),
        y,
        experiment.folds,
    )
    np.testing.assert_allclose(experiment.best.predictions, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("function", [evaluate, sweep])
def test_columns_of_a_frame_are_read_by_position(
    make_task: MakeTask, function: Callable[..., Any]
) -> None:
    bank, texts, y = make_task(60)
    frame = pd.DataFrame({"x": texts, "y": y, "id": range(60)})
    frame["g"] = frame.id.map(lambda i: f"g{i % 20}")
    frame = frame[frame.index % 3 > 0].sample(frac=1, random_state=0)
    options = {"folds": "group", "cv": 3, "select": "mean[-1]", "random_state": np.int64(1)}
    options |= {"models": "ridge", "memory": 4_000}
    found, expected = (
        function(
            bank, taken(frame.x), frame.y, groups=taken(frame.g), ids=taken(frame.id), **options
        )
        for taken in (lambda column: column, list)
    )
    np.testing.assert_array_equal(found.folds.numbers, expected.folds.numbers)
    np.testing.assert_allclose(found.best.predictions, expected.best.predictions, **SAME_FITS)
    assert [*found.task.ids] == [*expected.task.ids]


def test_shuffled_targets_score_nothing(make_task: MakeTask) -> None:
    bank, texts, y = make_task(240)
    y = np.random.default_rng(5).permutation(y)
    experiment = evaluate(bank, texts, y, select=["mean[-1]", "*[:]"], models=QUICK)
    for result in experiment.results:
        assert result.scores.r2 <= 0.02, result
        assert result.naive_rmse <= result.scores.rmse + 1e-9


def test_repeated_texts_stay_in_one_fold(make_task: MakeTask) -> None:
    bank, texts, y = make_task(40)
    repeated, twice = texts + texts[:20], np.concatenate([y, y[:20]])
    experiment = evaluate(bank, repeated, twice, cv=4)
    folds = experiment.folds.numbers
    np.testing.assert_array_equal(folds[40:], folds[:20])
    assert len(experiment.oof) == 60


def test_groups_stay_together(make_task: MakeTask) -> None:
    bank, texts, y = make_task(60)
    groups = [f"author {i % 12}" for i in range(60)]
    experiment = evaluate(bank, texts, y, folds="group", groups=groups)
    by_group = {
        (group, int(fold)) for group, fold in zip(groups, experiment.folds.numbers, strict=True)
    }
    assert len(by_group) == 12
    assert experiment.folds.scheme == "group"


def test_several_targets_at_once(make_task: MakeTask) -> None:
    bank, texts, y = make_task()
    both = np.stack([y, -(y**2)], axis=1)
    experiment = evaluate(
        bank, texts, both, select=["mean[-1]", "mean[1]"], target_names=["score", "loss"]
    )
    # The losses' RMSE is much the larger one: no ranking across units.
    assert list(experiment.table["target"]) == ["score"] * 3 + ["loss"] * 3
    backwards = evaluate(bank, texts, both[:, ::-1], target_names=["loss", "score"])
    assert list(backwards.table["target"]) == ["loss", "loss", "score", "score"]
    assert experiment.best.target == "score"
    alone = evaluate(bank, texts, y, select="mean[1]").best
    [same] = [r for r in experiment.results if (r.target, r.select) == ("score", "mean[1]")]
    np.testing.assert_allclose(same.predictions, alone.predictions, atol=1e-9)
    assert "loss: ridge mean[1]" in experiment.oof.columns


def test_a_data_frame_brings_the_names_of_its_targets(make_task: MakeTask) -> None:
    bank, texts, y = make_task(30)
    both = pd.DataFrame({"zeal": y, "care": -(y**2)})
    assert evaluate(bank, texts, both).task.target_names == ("zeal", "care")
    assert evaluate(bank, texts, both["zeal"]).task.target_names == ("zeal",)
    unnamed = evaluate(bank, texts, pd.DataFrame(both.to_numpy()))
    assert unnamed.task.target_names == ("target_1", "target_2")


def test_objects_show_themselves_on_one_line(make_task: MakeTask, tmp_path: Path) -> None:
    bank, texts, y = make_task()
    swept = sweep(bank, texts, y, models=["ridge"], greedy=False)
    experiment = evaluate([bank], texts, y, target_names=["score"])
    run = load_run(experiment.save(tmp_path / "run"))
    shown = {
        repr(experiment): "<Experiment: 90 texts, .* 1 results, first ridge mean",
        repr(experiment.best): r"<Result ridge mean\[-1\] on 'score': RMSE",
        repr(experiment.banks): "<Banks 'made-up' of 90 texts>",
        repr(run): r"<Run 'run': 90 texts, predicts 'score', 1 models, first ridge mean\[-1\] RMSE",
        repr(run.models[0]): "<SavedModel ridge",
        repr(swept): "<Sweep: 90 texts, .* first auto RMSE",
        repr(swept.best): "<AutoResult ridge",
        repr(swept.rows("target")[0]): "<LeaderboardRow ",
    }
    for line, start in shown.items():
        assert re.match(start, line)
        assert len(line) < 150


def test_few_texts_are_said_to_tell_little(make_task: MakeTask) -> None:
    bank, texts, y = make_task(60)
    few = evaluate(bank, texts[:49], y[:49], cv=3)
    assert [note[:24] for note in notes(few)] == ["there are only 49 texts:"]
    assert notes(evaluate(bank, texts, y, cv=3)) == []
    twins = [*texts[:58], "one two three four five", "one two three four FIVE"]
    fill(bank, twins[58:], np.ones((2, len(bank.blocks), 6), np.float32))
    [pair] = notes(evaluate(bank, twins, y, cv=3))
    assert "1 pair of texts" in pair


def test_two_banks_side_by_side(make_task: MakeTask) -> None:
    one, texts, y = make_task(seed=1, name="one.bank")
    other = make_task(seed=1, name="other.bank", hidden=4).bank
    experiment = evaluate([one, str(other.path)], texts, y, select="one/mean[-1]+other/mean[:2]")
    assert experiment.best.n_columns == 6 + 2 * 4
    assert {term.bank for term in experiment.best.terms} == {"one", "other"}


def test_the_same_call_gives_the_same_numbers(make_task: MakeTask) -> None:
    bank, texts, y = make_task()
    runs = [evaluate(bank, texts, y, models=QUICK, n_jobs=n) for n in (1, 2)]
    # Equal to the last bit, which users are promised: every fit has one thread of its own.
    for alone, beside in zip(runs[0].results, runs[1].results, strict=True):
        np.testing.assert_array_equal(alone.predictions, beside.predictions)
    other = evaluate(bank, texts, y, random_state=1)
    assert other.folds.digest != runs[0].folds.digest


def test_predict_uses_the_best_model(make_task: MakeTask) -> None:
    bank, texts, y = make_task()
    experiment = evaluate(bank, texts[:60], y[:60], select=["mean[-1]", "mean[:]"])
    assert np.corrcoef(experiment.predict(texts[60:]), y[60:])[0, 1] > 0.5


def call(task: MadeUpTask, **changes: Any) -> None:
    given = {"texts": task.texts, "y": task.y} | changes
    evaluate(task.bank, given.pop("texts"), given.pop("y"), **given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.full(20, 3.0)}, "target 'target' has one distinct value"),
        ({"y": np.r_[np.nan, np.arange(18.0), np.inf]}, "no finite number in row 1, 20"),
        ({"y": np.arange(19.0)}, "20 texts and 19 targets"),
        ({"ids": ["a"]}, "20 texts and 1 ids"),
        ({"folds": "group"}, "need to know the group"),
        ({"folds": "group", "groups": ["a"] * 20}, "1 groups that share no text cannot"),
        ({"cv": 21}, "20 rows with 20 distinct texts cannot be divided into 21 folds"),
        ({"cv": 2}, "2 folds are too few"),
        ({"models": ["forest"]}, "no regressor 'forest'"),
        ({"select": []}, "at least one selection"),
        ({"texts": [], "y": []}, "no texts"),
        ({"target_names": ["a", "b"]}, "1 targets need as many different names"),
        ({"models": ["rigde"]}, "did you mean 'ridge'.*: it is one of ridge"),
        ({"texts": "twenty letters there"}, "is one text and no list of texts: give a list"),
        ({"texts": ["a", None, *"bcdefghijklmnopqrs"]}, "text 2 is no string but NoneType"),
        ({"y": [*range(18), "high", "low"]}, "targets are no numbers: row 19 has 'high'"),
        ({"y": [[1, 2], [1], *[[1, 2]] * 18]}, "targets have rows of different lengths"),
        ({"y": 5}, r"targets have shape \(\): give a number"),
        ({"sample_weight": ["?"] * 20}, r"sample weights are no numbers: row 1 has '\?'"),
        ({"folds": 7}, "stratified, plain, group.* and is 7: give their number as cv"),
    ],
)
def test_what_cannot_be_evaluated(
    make_task: MakeTask, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        call(make_task(20), **changes)


def test_what_the_bank_does_not_have(make_task: MakeTask) -> None:
    task = make_task(20)
    with pytest.raises(SelectionError, match="layers 0 to 2"):
        call(task, select="mean[3]")
    with pytest.raises(MissingTexts, match="lacks 1 of the texts"):
        call(task, texts=[*task.texts[:-1], "another"])
