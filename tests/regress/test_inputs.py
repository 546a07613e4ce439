"""Texts and targets of every kind wherever stage 2 takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from features.errors import InputError, LayerbankError
from regress import Run, TextFeatures, TunedRidge, evaluate, load_run
from regress.sweep import sweep
from tests.regress.conftest import Cli, MadeUpTask, made_up_task, saved_without_reports

Give = Callable[[list[Any]], Any]

#: Ways to give texts, targets and whatever stands beside them.
WAYS: dict[str, Give] = {
    "generator": lambda values: (value for value in values),
    "NumPy column": lambda values: np.array(values)[:, None],
    "pandas": lambda values: pd.Series(values, index=range(len(values), 0, -1)),
    "polars": lambda values: pl.Series(values),
    "polars frame": lambda values: pl.DataFrame({"any": values}),
    "Arrow": lambda values: pa.chunked_array([values[:3], values[3:]]),
    "data set": lambda values: datasets.Dataset.from_dict({"any": values})["any"],
}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> MadeUpTask:
    return made_up_task(tmp_path_factory.mktemp("task"), 30)


@pytest.fixture(scope="module")
def run(task: MadeUpTask) -> Run:
    with saved_without_reports():
        experiment = evaluate(task.bank, task.texts, task.y, ids=range(30))
        return load_run(experiment.save(task.bank.path.parent / "run"))


@pytest.mark.parametrize("way", WAYS)
def test_evaluate(task: MadeUpTask, way: str) -> None:
    give, y = WAYS[way], task.y.tolist()
    beside = {"folds": [i % 3 for i in range(30)], "sample_weight": [1.0 + i for i in range(30)]}
    expected = evaluate(task.bank, task.texts, y, **beside)
    given = {name: give(values) for name, values in beside.items()}
    found = evaluate(task.bank, give(task.texts), give(y), ids=give([*range(30)]), **given)
    assert found.best.scores == expected.best.scores
    np.testing.assert_array_equal(found.predict(give(task.texts)), expected.predict(task.texts))


@pytest.mark.parametrize("way", ["generator", "Arrow"])
def test_sweep(task: MadeUpTask, way: str) -> None:
    settings: dict[str, Any] = {"models": "ridge", "greedy": False, "n_jobs": 1, "cv": 3}
    give = WAYS[way]
    groups = [f"group {i % 7}" for i in range(30)]
    expected = sweep(task.bank, task.texts, task.y, groups=groups, **settings)
    found = sweep(
        task.bank, give(task.texts), give(task.y.tolist()), groups=give(groups), **settings
    )
    assert found.best.scores == expected.best.scores


@pytest.mark.parametrize("way", WAYS)
def test_a_saved_run(task: MadeUpTask, run: Run, way: str) -> None:
    give = WAYS[way]
    expected = run.predict(task.texts)
    np.testing.assert_array_equal(run.predict(give(task.texts)), expected)
    explained = run.explain(
        give(task.texts[:4]), n_neighbours=1, training=give(task.texts), ids=give([*"abcd"])
    )
    assert [each.id for each in explained] == [*"abcd"]
    np.testing.assert_allclose([each.prediction for each in explained], expected[:4])
    with pytest.raises(InputError, match="there are 4 texts and 3 ids"):
        run.explain(give(task.texts[:4]), n_neighbours=0, ids=give([*"abc"]))


@pytest.mark.parametrize("way", WAYS)
def test_the_transformer(task: MadeUpTask, way: str) -> None:
    give, expected = WAYS[way], task.bank.matrix(task.texts, "mean[-1]")
    features = TextFeatures(task.bank)
    np.testing.assert_array_equal(features.fit_transform(give(task.texts)), expected)
    texts = give(task.texts)
    # What can be read once is left for `transform`.
    np.testing.assert_array_equal(features.fit(texts).transform(texts), expected)


def test_a_generator_goes_through_a_pipeline(task: MadeUpTask) -> None:
    fitted = make_pipeline(TextFeatures(task.bank), Ridge()).fit(iter(task.texts), task.y)
    expected = fitted.predict(task.texts)
    np.testing.assert_array_equal(fitted.predict(text for text in task.texts), expected)
    gone = iter(task.texts)
    list(gone)
    with pytest.raises(TypeError, match="gave none, as one does that was read before"):
        fitted.predict(gone)
    frame = TextFeatures(task.bank).set_output(transform="pandas")
    assert frame.fit_transform(pd.Series(task.texts, index=range(30, 0, -1))).index[0] == 30


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cv": KFold(5)}, r"cv is KFold.* number of folds: give cv=5, say, and as folds how"),
        ({"cv": [([0], [1])]}, "cv is .* has to be the number of folds"),
        ({"cv": "5"}, "cv is '5'"),
        ({"cv": None}, "cv is None"),
        ({"cv": True}, "cv is True"),
        ({"folds": KFold(5)}, "folds says how they are made .* and is KFold"),
        ({"folds": None}, "folds says how they are made .* and is None"),
        ({"random_state": None}, "random_state is None, and has to be a seed or several"),
        ({"random_state": np.random.RandomState(0)}, "random_state is RandomState"),
        ({"random_state": 0.5}, r"random_state is 0\.5"),
        (
            {"models": Ridge()},
            r"Ridge\(\) is no regressor that tunes itself .* give a name \(ridge",
        ),
        ({"models": [Ridge()]}, r"Ridge\(\) is no regressor"),
        ({"models": TunedRidge}, r"TunedRidge is a class: give TunedRidge\(\)"),
        ({"models": None}, "None is no regressor"),
        ({"select": None}, "None is no selection: give a string such as"),
        ({"select": [3]}, "3 is no selection"),
        ({"target_names": "ab"}, None),
        ({"groups": [None] * 30, "folds": "group"}, "missing in row 1, 2"),
        (
            {"texts": pd.DataFrame({"text": ["a"] * 30}).to_dict("records")},
            "row with the names 'text'",
        ),
        ({"y": []}, "30 texts and 0 targets"),
    ],
)
def test_what_is_no_such_argument(
    task: MadeUpTask, changes: dict[str, Any], message: str | None
) -> None:
    given: dict[str, Any] = {"texts": task.texts, "y": task.y} | changes
    for call in (evaluate, sweep):
        if message is None:
            assert evaluate(task.bank, **given).task.target_names == ("ab",)
            continue
        with pytest.raises(LayerbankError, match=message) as caught:
            call(task.bank, **given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bank", [None, 5])
def test_what_is_no_bank(task: MadeUpTask, bank: Any) -> None:
    for call in (evaluate, sweep):
        with pytest.raises(InputError, match=f"{bank} is no path"):
            call(bank, task.texts, task.y)
    with pytest.raises(InputError, match=f"{bank} is no path"):
        TextFeatures(bank).fit(task.texts)


@pytest.mark.parametrize("model", ["ridge", "krr", "svr", "lightgbm", "pairwise"])
@pytest.mark.parametrize("scale", [1e22, 1e-22])
def test_regressors_bear_targets_of_any_size_that_is_taken(
    task: MadeUpTask, model: str, scale: float
) -> None:
    plain = evaluate(task.bank, task.texts, task.y, models=model, cv=3)
    scaled = evaluate(task.bank, task.texts, scale * task.y, models=model, cv=3)
    for found, expected in zip(scaled.results, plain.results, strict=True):
        assert found.model == expected.model
        assert found.scores.rmse / scale == pytest.approx(expected.scores.rmse, rel=0.02)
        assert found.scores.se / scale == pytest.approx(expected.scores.se, rel=0.05)


@pytest.mark.parametrize("several", [False, True])
def test_ids_have_no_name_of_a_prediction(
    task: MadeUpTask, cli: Cli, tmp_path: Path, several: bool
) -> None:
    targets = {"a": task.y, "b": -task.y} if several else {"b": task.y}
    with saved_without_reports():
        run = evaluate(task.bank, task.texts, pd.DataFrame(targets)).save(tmp_path / "run")
    table, out = tmp_path / "new.csv", tmp_path / "out.csv"
    columns = {"b": range(30), "prediction": range(30), "text": task.texts}
    pd.DataFrame(columns).to_csv(table, index=False)
    code, _, err = cli("predict", run, table, "--id", "b", "--out", out)
    assert code == 2
    assert "the ids and what is predicted are both called 'b'" in err
    assert not out.exists()
    assert cli("predict", run, table, "--id", "prediction", "--out", out)[0] == 0
    assert list(pd.read_csv(out)) == ["prediction", *targets]
