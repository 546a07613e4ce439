"""Runs that were cut off, edited or put together wrongly are named, and never blended silently."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import RunError
from regress import evaluate, load_run
from regress.blend import HONEST, blend
from regress.models.base import load_arrays, save_arrays
from regress.sweep import save_sweep, sweep
from tests.regress.conftest import Cli, MadeUpTask, made_up_task, saved_without_reports


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> MadeUpTask:
    return made_up_task(tmp_path_factory.mktemp("task"), 60)


@pytest.fixture(scope="module")
def saved(task: MadeUpTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, weights and two splits; and a sweep."""
    folder = tmp_path_factory.mktemp("saved")
    experiment = evaluate(
        task.bank, task.texts, task.y, select=["mean[1]", "max[-1]"], random_state=[0, 1],
        sample_weight=np.arange(1, 61),
    )  # fmt: skip
    found = sweep(task.bank, task.texts, task.y, models=["ridge", "krr"], n_best=1, greedy=False)
    with saved_without_reports():
        experiment.save(folder / "run")
        save_sweep(found, folder / "swept")
    return folder


@pytest.fixture
def run(saved: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return shutil.copytree(saved / "run", tmp_path / "run")


@pytest.fixture
def swept(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved / "swept", tmp_path / "swept")


def edit(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    description = json.loads((run / "run.json").read_text(encoding="utf-8"))
    change(description)
    (run / "run.json").write_text(json.dumps(description), encoding="utf-8")


def as_before(run: Path) -> None:
    """Runs of before say nothing of what their tables hash to."""
    edit(run, lambda description: description.pop("sha256"))


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def one_row_less(content: bytes) -> bytes:
    return content[: content[:-1].rindex(b"\n") + 1]


#: Ways to damage oof.csv, and what is said where nothing tells what it hashes to.
DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda content: cut(content) + b"\n", "it has .* rows and not 60"),
    "a cell less": (lambda content: content[: content.rindex(b",")], "row 60 has .* cells and not"),
    "a row less": (one_row_less, "it has 59 rows and not 60"),
    "empty": (lambda _: b"", "it has 0 rows and not 60"),
    "binary": (lambda content: b"\xff\xfe" + content, "utf-8"),
    "no number": (lambda content: content[:-6] + b"x\n", "more than finite numbers"),
    "no column": (
        lambda content: content.replace(b"ridge mean[1],", b"ridge,", 1),
        r"no column 'ridge mean\[1\]'",
    ),
    "a column twice": (
        lambda content: content.replace(b"row,", b"target,", 1),
        "two of its columns have one name",
    ),
    "another fold": (
        lambda content: content.replace(b"\n1,", b"\n1,7", 1),
        "it has no fold '7",
    ),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_table_is_named(run: Path, kind: str) -> None:
    change, message = DAMAGED[kind]
    table = run / "oof.csv"
    table.write_bytes(change(table.read_bytes()))
    with pytest.raises(RunError, match=r"run/oof\.csv is not the file that the run wrote"):
        blend([run])
    as_before(run)
    with pytest.raises(RunError, match=rf"run/oof\.csv is damaged.*{message}"):
        blend([run])


def test_runs_of_before_blend(run: Path, swept: Path) -> None:
    for folder in (run, swept):
        before = blend([folder]).targets[0]
        as_before(folder)
        after = blend([folder]).targets[0]
        # Equal but for the order in which BLAS adds.
        np.testing.assert_allclose(before.predictions, after.predictions, rtol=1e-12)
        assert before.label == after.label
    assert after.label == HONEST


def test_a_table_that_is_gone_is_named(run: Path) -> None:
    (run / "oof.csv").unlink()
    with pytest.raises(RunError, match=r"oof\.csv cannot be read"):
        blend([run])


@pytest.mark.parametrize("kind", ["cut", "empty", "edited"])
def test_damaged_inner_predictions_are_named(swept: Path, kind: str) -> None:
    inner = swept / "inner.npz"
    if kind == "edited":
        save_arrays(inner, {name: array[:, 1:] for name, array in load_arrays(inner).items()})
    else:
        inner.write_bytes(cut(inner.read_bytes()) if kind == "cut" else b"")
    with pytest.raises(RunError, match=r"swept/inner\.npz is not the file that the run wrote"):
        blend([swept])
    as_before(swept)
    with pytest.raises(RunError, match=r"swept/inner\.npz is damaged"):
        blend([swept])


def test_inner_predictions_that_are_gone_are_missed(swept: Path) -> None:
    """Without them the blend would be stacked, and say so; but the run had them."""
    (swept / "inner.npz").unlink()
    with pytest.raises(RunError, match=r"inner\.npz cannot be read"):
        blend([swept])


def without(*keys: Any) -> Callable[[dict[str, Any]], object]:
    def change(description: Any) -> None:
        for key in keys[:-1]:
            description = description[key]
        del description[keys[-1]]

    return change


def put(value: Any, *keys: Any) -> Callable[[dict[str, Any]], object]:
    def change(description: Any) -> None:
        for key in keys[:-1]:
            description = description[key]
        description[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("banks"), "it lacks banks"),
        (without("texts"), "it lacks texts"),
        (without("texts", "n"), r"it lacks texts\.n"),
        (without("folds"), "it lacks folds"),
        (without("folds", "labels"), r"it lacks folds\.labels"),
        (without("targets"), "it lacks targets"),
        (without("results"), "it lacks results"),
        (without("versions"), "it lacks versions"),
        (without("results", 0, "scores", "rmse"), r"it lacks results\[0\]\.scores\.rmse"),
        (without("results", 1, "column"), r"it lacks results\[1\]\.column"),
        (without("banks", 0, "setup", "hidden_size"), r"lacks banks\[0\]\.setup\.hidden_size"),
        (put([], "folds"), "folds is no object"),
        (put({}, "results"), "results is no list"),
        (put(None, "results", 0, "scores", "rmse"), r"rmse is NoneType"),
        (put(["1"], "folds", "repeats"), r"folds\.repeats\[0\] is no object"),
        (put("other", "results", 0, "target"), r"results\[0\]\.target is none of its targets"),
        (put("x", "results", 0, "blocks", 0, "bank"), r"results\[0\]\.blocks are of none"),
        (put([1], "results", 0, "blocks", 0, "blocks", 0), r"results\[0\]\.blocks"),
        (put({}, "regressors", "ridge"), r"it lacks regressors\.ridge\.params"),
        (put({"oof.csv": 1}, "sha256"), r"sha256\.oof\.csv is int"),
        (put({"runs": []}, "blend"), r"it lacks blend\.method"),
    ],
)
def test_what_run_json_lacks_is_said(
    run: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit(run, change)
    with pytest.raises(RunError, match=rf"run/run\.json is damaged \(.*{message}.*: copy the run"):
        load_run(run)


def test_a_deep_run_json_is_no_run(run: Path, cli: Cli) -> None:
    (run / "run.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(RunError, match=r"run\.json cannot be read \(.*too deep.*: copy the run"):
        load_run(run)
    code, _, err = cli("blend", run, "--out", run.parent / "blend")
    assert code == 2
    assert "Traceback" not in err


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
def test_damaged_folders_are_named(run: Path, kind: str, message: str) -> None:
    damage(run, kind)
    with pytest.raises(RunError, match=message):
        load_run(run)


def test_damaged_models_are_named(task: MadeUpTask, run: Path) -> None:
    loaded = load_run(run)
    first, second = loaded.models[0].path, loaded.models[1].path
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    with pytest.raises(RunError, match=rf"{first.name} is not the file that the run wrote"):
        loaded.predict(task.texts)
    second.unlink()
    with pytest.raises(RunError, match=rf"{second.name} cannot be read"):
        loaded.predict(task.texts, model=loaded.models[1].label)
