"""Saving a run: everything needed to repeat it, nothing but data, whole or not at all."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.errors import RunError
from regress import Experiment, TunedLightGBM, TunedSVR, evaluate, load_run
from regress.models.base import load_arrays, save_arrays
from regress.runs.save import refuse_existing
from tests.made_up import SETUP, SOURCE
from tests.regress.conftest import MadeUpTask, made_up_task


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> MadeUpTask:
    return made_up_task(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def experiment(task: MadeUpTask) -> Experiment:
    models = ["ridge", TunedSVR([0.5], [1.0], [0.1]), TunedLightGBM(40, 10)]
    return evaluate(
        task.bank, task.texts, task.y, select=["mean[-1]", "avg(max[:])"], models=models
    )


@pytest.mark.usefixtures("without_reports")
def test_run_json_tells_what_was_run(
    task: MadeUpTask, experiment: Experiment, tmp_path: Path
) -> None:
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


@pytest.mark.usefixtures("without_reports")
def test_only_a_run_is_replaced_and_only_when_forced(
    experiment: Experiment, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    folder = experiment.save(tmp_path / "empty")
    (folder / "note.txt").write_text("mine")
    encoded = folder / "scratch" / "a.bank"
    encoded.mkdir(parents=True)
    with pytest.raises(RunError, match="give another path, or force=True"):
        experiment.save(folder)
    experiment.save(folder, force=True)
    assert not (folder / "note.txt").exists()
    assert encoded.is_dir(), "what the encoder was run for stays"
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match="is not a run, so force=True leaves it"):
        experiment.save(precious, force=True)
    assert (precious / "thesis.tex").read_text() == "mine"
    assert {entry.name for entry in tmp_path.iterdir()} == {"empty", "precious"}


@pytest.mark.usefixtures("without_reports")
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
    assert {entry.name for entry in tmp_path.iterdir()} == {"run"}


def test_arrays_are_saved_without_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before NumPy 2.2, savez took allow_pickle for one more array, which no model knows."""
    given: list[str] = []
    real = np.savez
    monkeypatch.setattr(
        np, "savez", lambda file, **arrays: [given.extend(arrays), real(file, **arrays)]
    )
    path = save_arrays(tmp_path / "a.npz", {"coef": np.ones(3), "alpha": 2.0, "names": ["a", "b"]})
    assert given == ["coef", "alpha", "names"]
    assert {*load_arrays(path)} == {"coef", "alpha", "names"}
    with pytest.raises(TypeError, match="alpha holds Python objects"):
        save_arrays(tmp_path / "b.npz", {"alpha": None})


@pytest.mark.usefixtures("without_reports")
def test_a_run_whose_replacement_died_is_there_again(
    experiment: Experiment, tmp_path: Path
) -> None:
    folder, hidden = experiment.save(tmp_path / "run"), tmp_path / ".run-0123456789ab-replaced"
    folder.rename(hidden)
    assert load_run(folder).targets == ["target"]
    folder.rename(hidden)
    with pytest.raises(RunError, match="exists: give another --out, or --force"):
        refuse_existing(folder, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
