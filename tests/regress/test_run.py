"""The run folder: everything needed to repeat it, and nothing but data."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features import Bank
from features.errors import FingerprintMismatch, InputError, RunError
from regress import Experiment, TunedLightGBM, TunedSVR, evaluate, load_run
from regress.folds import Folds
from tests.made_up import SETUP, SOURCE
from tests.regress.conftest import Task
from tests.regress.plain import nested_predictions

MakeTask = Callable[..., Task]


@pytest.fixture
def task(make_task: MakeTask) -> Task:
    return make_task()


@pytest.fixture
def experiment(task: Task) -> Experiment:
    models = ["ridge", TunedSVR([0.5], [1.0, 4.0], [0.1]), TunedLightGBM(40, 10)]
    ids = [f"{i:03d}" for i in range(90)]
    select = ["mean[-1]", "mean[1:]+cls[0]", "avg(max[:])"]
    return evaluate(task.bank, task.texts, task.y, select=select, models=models, ids=ids)


def test_every_saved_model_predicts_what_it_did_in_memory(
    task: Task, experiment: Experiment, tmp_path: Path
) -> None:
    run = load_run(experiment.save(tmp_path / "run"))
    for result, saved in zip(experiment.results, run.models, strict=True):
        assert (saved.model, saved.select) == (result.model, result.select)
        X = task.bank.matrix(task.texts, result.select)
        expected = result.fitted.predict(X)
        np.testing.assert_array_equal(saved.fitted.predict(X), expected)
        np.testing.assert_array_equal(run.predict(task.texts, model=saved.label), expected)
    np.testing.assert_array_equal(run.predict(task.texts), experiment.predict(task.texts))
    best_svr = next(saved for saved in run.models if saved.model == "svr")
    assert run.chosen("svr") == [best_svr]


def test_plain_scikit_learn_on_the_saved_folds_gives_the_saved_scores(
    task: Task, experiment: Experiment, tmp_path: Path
) -> None:
    folder = experiment.save(tmp_path / "run")
    oof = pd.read_csv(folder / "oof.csv", dtype={"id": str})
    description = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert oof["id"].tolist()[:2] == ["000", "001"]
    folds = Folds(oof["fold"].to_numpy(), 5, "stratified", 0, "")
    alphas = [s["alpha"] for s in description["regressors"]["ridge"]["settings"]]
    for result in description["results"]:
        if result["model"] == "ridge":
            expected, chosen = nested_predictions(
                make_pipeline(StandardScaler(), Ridge(solver="cholesky")),
                lambda _: {"ridge__alpha": alphas},
                task.bank.matrix(task.texts, result["select"], dtype=np.float64),
                oof["target"].to_numpy(),
                folds,
            )
            np.testing.assert_allclose(oof[result["column"]], expected, rtol=0, atol=1e-6)
            rmse = np.sqrt(np.mean((oof["target"] - expected) ** 2))
            assert result["scores"]["rmse"] == pytest.approx(rmse, abs=1e-6)
            assert [p["alpha"] for p in result["fold_params"]] == pytest.approx(
                [best["ridge__alpha"] for best in chosen]
            )


def test_run_json_tells_what_was_run(task: Task, experiment: Experiment, tmp_path: Path) -> None:
    run = load_run(experiment.save(tmp_path / "run"))
    [bank] = run.banks
    assert bank == {
        "name": "made-up",
        "path": str(task.bank.path),
        "fingerprint": task.bank.fingerprint,
        "source": SOURCE,
        "setup": {**SETUP, "hidden_size": 6, "pooler": False},
    }
    description = run.description
    assert description["folds"]["hash"] == experiment.folds.digest
    assert description["texts"]["n"] == 90
    assert set(description["versions"]) > {"layerbank", "numpy", "scikit-learn", "lightgbm"}
    resolved = {result["select"]: result["blocks"] for result in description["results"]}
    assert resolved["avg(max[:])"] == [
        {"bank": "made-up", "blocks": [["max", 0], ["max", 1], ["max", 2]], "average": True}
    ]
    assert resolved["mean[-1]"][0]["blocks"] == [["mean", 2]]


def test_a_moved_run_predicts_without_its_bank(
    make_task: MakeTask, experiment: Experiment, task: Task, tmp_path: Path
) -> None:
    expected = experiment.predict(task.texts)
    X = task.bank.matrix(task.texts, experiment.best.select)
    shutil.move(experiment.save(tmp_path / "run"), tmp_path / "elsewhere")
    copy = shutil.move(task.bank.path, tmp_path / "renamed.bank")
    run = load_run(tmp_path / "elsewhere")
    np.testing.assert_array_equal(run.models[0].fitted.predict(X), expected)
    with pytest.raises(RunError, match=r"made-up.bank .*: say where it is with --bank"):
        run.predict(task.texts)
    np.testing.assert_array_equal(run.predict(task.texts, copy), expected)
    np.testing.assert_array_equal(run.predict(task.texts, [Bank.open(copy)]), expected)
    other = make_task(name="other.bank", hidden=4).bank
    with pytest.raises(FingerprintMismatch, match="differs in hidden_size") as caught:
        run.predict(task.texts, other)
    assert caught.value.fields == ("hidden_size",)
    shutil.copytree(other.path, tmp_path / "made-up.bank")
    with pytest.raises(FingerprintMismatch):
        run.predict(task.texts)


def test_nothing_in_the_folder_is_pickle(experiment: Experiment, tmp_path: Path) -> None:
    folder = experiment.save(tmp_path / "run")
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} == {".json", ".csv", ".npz", ".txt", ".html"}
    for file in files:
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                assert all(arrays[name].dtype != object for name in arrays.files)
        with pytest.raises(Exception), file.open("rb") as opened:  # noqa: B017
            pickle.load(opened)


def test_several_targets_are_predicted_side_by_side(task: Task, tmp_path: Path) -> None:
    both = np.stack([task.y, -task.y], axis=1)
    experiment = evaluate(task.bank, task.texts, both, select=["mean[-1]", "mean[:]"])
    predicted = load_run(experiment.save(tmp_path / "run")).predict(task.texts)
    assert predicted.shape == (90, 2)
    np.testing.assert_allclose(predicted[:, 0], -predicted[:, 1], atol=1e-9)


def test_only_a_run_is_replaced_and_only_when_forced(
    experiment: Experiment, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    folder = experiment.save(tmp_path / "empty")
    (folder / "note.txt").write_text("mine")
    with pytest.raises(RunError, match="give another path, or force=True"):
        experiment.save(folder)
    experiment.save(folder, force=True)
    assert not (folder / "note.txt").exists()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match="is not a run, so force=True leaves it"):
        experiment.save(precious, force=True)
    assert (precious / "thesis.tex").read_text() == "mine"
    assert {entry.name for entry in tmp_path.iterdir()} == {"empty", "precious", "made-up.bank"}


def test_a_failing_save_leaves_the_old_run(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = experiment.save(tmp_path / "run")
    before = (folder / "run.json").read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(RunError, match="No space left"):
        experiment.save(folder, force=True)
    assert (folder / "run.json").read_bytes() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"run", "made-up.bank"}


def damage(folder: Path, kind: str) -> None:
    manifest = folder / "run.json"
    description = json.loads(manifest.read_text(encoding="utf-8"))
    if kind == "gone":
        shutil.rmtree(folder)
    elif kind == "no manifest":
        manifest.unlink()
    elif kind == "cut":
        manifest.write_text(manifest.read_text(encoding="utf-8")[:100], encoding="utf-8")
    elif kind == "binary":
        manifest.write_bytes(b"\xff\xfe\x00")
    elif kind == "foreign":
        manifest.write_text("[]", encoding="utf-8")
    elif kind == "later":
        manifest.write_text(json.dumps(description | {"version": 9}), encoding="utf-8")
    elif kind == "field":
        del description["results"][0]["blocks"]
        manifest.write_text(json.dumps(description), encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gone", "there is no run folder"),
        ("no manifest", r"holds no run\.json"),
        ("cut", "cannot be read"),
        ("binary", "cannot be read"),
        ("foreign", "was not written by"),
        ("later", "a run of version 9"),
        ("field", "is damaged .*blocks"),
    ],
)
def test_damaged_folders_are_named(
    experiment: Experiment, tmp_path: Path, kind: str, message: str
) -> None:
    folder = experiment.save(tmp_path / "run")
    damage(folder, kind)
    with pytest.raises(RunError, match=message):
        load_run(folder)


def test_damaged_models_are_named(task: Task, experiment: Experiment, tmp_path: Path) -> None:
    run = load_run(experiment.save(tmp_path / "run"))
    first, second = run.models[0].path, run.models[1].path
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    with pytest.raises(RunError, match=rf"{first.name} is not the file that the run wrote"):
        run.predict(task.texts)
    second.unlink()
    with pytest.raises(RunError, match=rf"{second.name} cannot be read"):
        run.predict(task.texts, model=run.models[1].label)


def test_unknown_models_are_listed(task: Task, experiment: Experiment, tmp_path: Path) -> None:
    run = load_run(experiment.save(tmp_path / "run"))
    with pytest.raises(InputError, match=r"no model 'forest': it has '.*mean\[-1\]'"):
        run.predict(task.texts, model="forest")
