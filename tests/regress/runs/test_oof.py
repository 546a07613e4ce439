"""``oof.csv``: whatever ids and names hold, it is read back, and no two columns share a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.errors import InputError
from features.tables.table import Dataset, open_table
from regress import evaluate, load_run
from regress.blend import blend, save_blend
from regress.data.folds import all_folds
from regress.data.task import checked_task
from regress.evaluation.oof import refuse_oof_names
from regress.runs.predict import predict_file
from tests.regress.conftest import MadeUpTask

MakeTask = Callable[..., MadeUpTask]
pytestmark = pytest.mark.usefixtures("without_reports")
IDS = ["plain", "bare\rreturn", "both\r\nends", "new\nline", 'quo"te', "com,ma", "", " space "]


def test_ids_with_any_ends_of_lines_are_read_back(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(48)
    ids = [f"{id}{i // 8 or ''}" for i, id in enumerate(IDS * 6)]
    experiment = evaluate(task.bank, task.texts, task.y, ids=ids, models=["ridge", "krr"])
    folder = experiment.save(tmp_path / "run")
    out = tmp_path / "new.csv"
    data = Dataset(task.texts, np.arange(1, 49), ids, np.empty((48, 0)), None)
    predicted = predict_file(load_run(folder), data, out).values[:, 0]
    blended = save_blend(blend([folder]), tmp_path / "blend")
    for file in (folder / "oof.csv", out, blended / "oof.csv"):
        read = pd.read_csv(file, dtype={"id": str}, keep_default_na=False)
        assert read["id"].tolist() == ids
        table = open_table(file)
        assert [cells[0] for _, cells in table.rows(["id"])] == ids
        assert b"\r\n0" not in file.read_bytes()
        assert b"\r\nplain" not in file.read_bytes()
    assert read["target"].tolist() == task.y.tolist()
    assert pd.read_csv(out)["target"].tolist() == predicted.tolist()
    assert load_run(blended).read_oof()["id"] == ids


def test_ordinary_tables_are_written_as_pandas_does(task: MadeUpTask, tmp_path: Path) -> None:
    experiment = evaluate(task.bank, task.texts, task.y, random_state=[0, 1], ids=task.texts)
    folder = experiment.save(tmp_path / "run")
    expected = experiment.oof.to_csv(index=False, lineterminator="\n")
    assert (folder / "oof.csv").read_bytes() == expected.encode()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fold", {}, "the target cannot be called 'fold', as the folds are"),
        ("row", {}, "the target cannot be called 'row', as the ids are"),
        ("id", {"ids": range(40)}, "the target cannot be called 'id', as the ids are"),
        ("weight", {"sample_weight": np.ones(40)}, "'weight', as the sample weights are"),
        ("ridge mean[-1]", {}, "'ridge mean[-1]', as predictions are"),
        ("fold (seed 1)", {"random_state": [0, 1]}, "'fold (seed 1)', as the folds are"),
        ("ridge mean[-1] (seed 1)", {"random_state": [0, 1]}, "as predictions are"),
        ("y", {"ids": range(40), "id_name": "fold"}, "the ids cannot be called 'fold', as the"),
        ("weight", {}, None),
        ("target", {"ids": range(40)}, None),
        ("auto", {}, None),
        ("blend", {"random_state": [0, 1]}, None),
    ],
)
def test_columns_never_share_a_name(
    make_task: MakeTask, tmp_path: Path, name: str, options: dict[str, Any], message: str | None
) -> None:
    task = make_task(40)
    asked: dict[str, Any] = {"target_names": [name], **options}

    def saved() -> pd.DataFrame:
        folder = evaluate(task.bank, task.texts, task.y, **asked).save(tmp_path / "run")
        return pd.read_csv(folder / "oof.csv")

    if message is None:
        assert saved()[name].tolist() == task.y.tolist()
        return
    with pytest.raises(InputError, match=re.escape(message)):
        saved()
    assert not (tmp_path / "run").exists()
    given = {key: asked.get(key) for key in ("ids", "sample_weight")}
    task = checked_task(
        task.texts, task.y, target_names=[name], id_name=asked.get("id_name", "id"), **given
    )
    repeats = all_folds(task, "stratified", 5, asked.get("random_state", [0]), None)[1:]
    with pytest.raises(InputError, match=re.escape(message)):
        refuse_oof_names(task, ["ridge mean[-1]"], repeats)
    refuse_oof_names(replace(task, target_names=("y",), id_name="x"), ["auto"], repeats)


def test_targets_are_not_called_like_results_of_others(make_task: MakeTask) -> None:
    task = make_task(40)
    names = ["a", "a: auto"]
    task = checked_task(task.texts, np.stack([task.y] * 2, axis=1), target_names=names)
    with pytest.raises(InputError, match="the target cannot be called 'a: auto'"):
        refuse_oof_names(task, ["auto", "auto ridge"])
    refuse_oof_names(task, ["ridge cls[0]"])
