"""The selection `sentence` under every command: another matrix, derived from stored blocks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features import Bank, Banks
from features.errors import RunError, SelectionError
from features.export import export
from features.selection import Block
from regress import TunedKernelRidge, TunedRidge, evaluate, load_run
from regress.blend import blend, save_blend
from regress.data.fold_banks import FoldBanks
from regress.data.text_features import TextFeatures
from regress.sweep import sweep
from tests.made_up import SETUP, SOURCE
from tests.regress.conftest import Cli, MadeUpTask, fill
from tests.regress.plain import nested_predictions

pytestmark = pytest.mark.usefixtures("without_reports")

FACTS: dict[str, Any] = {
    "modules": ["Transformer", "Pooling", "Normalize"],
    "poolings": ["mean", "max"],
    "include_prompt": True,
    "max_length": 128,
    "prompts": {"query": "query: "},
    "default_prompt": None,
    "others": [],
}


def sentence_task(folder: Path, name: str = "s.bank", **changes: Any) -> MadeUpTask:
    """Texts with a target, in a bank whose encoder stood in a sentence-transformers folder."""
    rng = np.random.default_rng(3)
    setup = {**SETUP, "hidden_size": 6, "pooler": False}
    source = {**SOURCE, "sentence_transformers": {**FACTS, **changes}}
    bank = Bank.create(folder / name, setup, source)
    y = rng.standard_normal(60)
    states = rng.standard_normal((60, len(bank.blocks), 6)) + 0.4 * y[:, None, None]
    texts = [f"text {number}" for number in range(60)]
    fill(bank, texts, states.astype(np.float32))
    return MadeUpTask(bank, texts, 5 + 2 * y)


@pytest.fixture
def task(tmp_path: Path) -> MadeUpTask:
    return sentence_task(tmp_path)


@pytest.fixture
def table(task: MadeUpTask, tmp_path: Path) -> Path:
    rows = [f"{text},{y}" for text, y in zip(task.texts, task.y, strict=True)]
    path = tmp_path / "train.csv"
    path.write_text("\n".join(["text,score", *rows]) + "\n", encoding="utf-8")
    return path


def plain(task: MadeUpTask) -> np.ndarray:
    X = task.bank.matrix(task.texts, "mean[-1]+max[-1]", dtype=np.float64)
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def test_the_matrix_in_every_order_and_beside_others(task: MadeUpTask) -> None:
    expected = plain(task)
    np.testing.assert_allclose(task.bank.matrix(task.texts, "sentence"), expected, atol=1e-7)
    mixed = [task.texts[i] for i in (7, 3, 3, 59, 0)]
    X = task.bank.matrix(mixed, "avg(mean[:])+sentence+cls[0]")
    np.testing.assert_allclose(X[:, 6:18], expected[[7, 3, 3, 59, 0]], atol=1e-7)
    assert len(task.bank.column_names("avg(mean[:])+sentence+cls[0]")) == X.shape[1] == 24
    both = Banks([task.bank, Bank.open(sentence_task(task.bank.path.parent, "t.bank").bank.path)])
    assert both.matrix(mixed, "s/sentence+t/mean[0]").shape == (5, 18)
    assert both.column_names("s/sentence")[0] == "s/unit(mean.2+max.2).0"


def test_half_precision_is_widened_first(tmp_path: Path) -> None:
    setup = {**SETUP, "precision": "bf16", "pooler": False}
    source = {**SOURCE, "sentence_transformers": FACTS}
    bank = Bank.create(tmp_path / "h.bank", setup, source)
    values = np.random.default_rng(0).standard_normal((3, len(bank.blocks), 4))
    fill(bank, ["a", "b", "c"], values.astype(np.float32))
    X = bank.matrix(["a", "b", "c"], "sentence")
    assert bank.segments[0].dtype == np.float16
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1, atol=1e-7)


def test_a_row_of_zeros_stays_one(tmp_path: Path) -> None:
    source = {**SOURCE, "sentence_transformers": FACTS}
    bank = Bank.create(tmp_path / "z.bank", {**SETUP, "pooler": False}, source)
    fill(bank, ["a"], np.zeros((1, len(bank.blocks), 4), np.float32))
    assert not bank.matrix(["a"], "sentence").any()


@pytest.mark.parametrize("model", ["ridge", TunedKernelRidge([0.5], [0.01, 0.3])], ids=str)
def test_a_sweep_scores_it_as_one_block(task: MadeUpTask, model: Any) -> None:
    """Products of blocks are added up there, and a row of unit length is a block of its own."""
    given = {"select": ["sentence+cls[1]"], "models": [model]}
    found = evaluate(task.bank, task.texts, task.y, **given).results[0]
    assert found.n_columns == 18
    assert found.terms[0].blocks == (Block("unit(mean+max)", 2),)
    swept = sweep(task.bank, task.texts, task.y, n_best=99, greedy=False, **given)
    (row,) = [r for r in swept.rows("target") if (r.model, r.select) == (found.model, found.select)]
    assert row.scores.rmse == pytest.approx(found.scores.rmse, rel=1e-6)
    texts = TextFeatures(task.bank, "sentence").fit_transform(task.texts)
    np.testing.assert_allclose(texts, plain(task), atol=1e-7)


def test_ridge_is_the_plain_pipelines(task: MadeUpTask) -> None:
    ridge = TunedRidge([0.1, 1.0, 10.0])
    experiment = evaluate(task.bank, task.texts, task.y, select=["sentence"], models=[ridge])
    X = task.bank.matrix(task.texts, "sentence").astype(np.float64)
    pipeline = make_pipeline(StandardScaler(), Ridge())
    grid = {"ridge__alpha": [0.1, 1.0, 10.0]}
    expected, _ = nested_predictions(pipeline, lambda n: grid, X, task.y, experiment.folds)
    np.testing.assert_allclose(experiment.results[0].predictions, expected, rtol=1e-8)


def test_a_run_predicts_and_explains_in_another_process(
    task: MadeUpTask, table: Path, cli: Cli, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = ["regress", table, "--target", "score", "--bank", task.bank.path, "--model", "ridge"]
    code, _, err = cli(*command, "--select", "sentence", "--out", run)
    assert (code, "Traceback" in err) == (0, False)
    described = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert described["results"][0]["blocks"][0]["blocks"] == [["unit(mean+max)", 2]]
    done = subprocess.run(
        [sys.executable, "-m", "regress", "predict", str(run), str(table),
         "--out", str(tmp_path / "p.csv")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    predicted = np.loadtxt(tmp_path / "p.csv", delimiter=",", skiprows=1, usecols=1)
    saved = load_run(run).models[0]
    np.testing.assert_allclose(predicted, saved.fitted.predict(plain(task)), rtol=1e-5)
    loaded = load_run(run)
    explained = loaded.explain(task.texts[:2], task.bank, n_neighbours=0)
    assert [*explained[0].blocks] == ["unit(mean+max)[2]"]
    assert sum(explained[0].blocks.values()) + explained[0].base == pytest.approx(
        explained[0].prediction
    )
    other = evaluate(task.bank, task.texts, task.y, select=["cls[0]+sentence"], models=["svr"])
    again = evaluate(task.bank, task.texts, task.y, select=["sentence"], models=["ridge"])
    both = [again.save(tmp_path / "again"), other.save(tmp_path / "other")]
    blended = load_run(save_blend(blend(both), tmp_path / "blended"))
    assert blended.predict(task.texts[:3], task.bank).shape == (3,)


def test_the_block_means_the_same_where_the_folder_is_forgotten(
    task: MadeUpTask, tmp_path: Path
) -> None:
    """What a run recorded does not depend on what another bank says of its encoder's folder."""
    experiment = evaluate(task.bank, task.texts, task.y, select=["sentence"], models=["ridge"])
    run = load_run(experiment.save(tmp_path / "run"))
    expected = run.predict(task.texts)
    other = Bank.create(tmp_path / "o" / "s.bank", task.bank.setup, SOURCE)
    for segment in task.bank.segments:
        (other.path / segment.path.name).write_bytes(segment.path.read_bytes())
    other.refresh()
    with pytest.raises(SelectionError, match="offers no 'sentence'"):
        other.matrix(task.texts, "sentence")
    np.testing.assert_allclose(run.predict(task.texts, other), expected, rtol=1e-12)


def test_the_banks_of_folds_make_it_of_the_same_blocks(tmp_path: Path) -> None:
    one, two, other = (
        sentence_task(tmp_path, f"{name}.bank", poolings=poolings).bank
        for name, poolings in (("0", ["mean"]), ("1", ["mean"]), ("2", ["max"]))
    )
    assert len(FoldBanks({"0": one, "1": two}).resolve("sentence")) == 2
    with pytest.raises(SelectionError, match="'sentence' is made of other blocks in the bank '2'"):
        FoldBanks({"0": one, "2": other}).resolve("sentence")


@pytest.mark.parametrize("suffix", ["npy", "csv", "parquet", "h5"])
def test_export(task: MadeUpTask, suffix: str, tmp_path: Path) -> None:
    path = export(task.bank, task.texts[:5], "sentence", tmp_path / f"x.{suffix}")
    if suffix == "npy":
        np.testing.assert_allclose(np.load(path), plain(task)[:5], atol=1e-7)
    elif suffix == "csv":
        header = path.read_text(encoding="utf-8").splitlines()[0]
        assert header.count("unit(mean.2+max.2).") == 12
    assert path.stat().st_size > 0


BLOCKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "parts that the bank lacks": lambda term: term.update(blocks=[["unit(mean+min)", 2]]),
    "a layer that it lacks": lambda term: term.update(blocks=[["unit(mean+max)", 3]]),
    "no layer": lambda term: term.update(blocks=[["unit(mean+max)", None]]),
    "fewer columns": lambda term: term.update(blocks=[["unit(mean)", 2]]),
    "nonsense": lambda term: term.update(blocks=[["unit(mean", 2]]),
    "a number": lambda term: term.update(blocks=[[7, 2]]),
    "nothing": lambda term: term.update(blocks=[[]]),
    "an average": lambda term: term.update(average=True),
}


@pytest.mark.parametrize("change", BLOCKS.values(), ids=BLOCKS)
def test_a_strangers_blocks(
    change: Callable[[dict[str, Any]], object], task: MadeUpTask, tmp_path: Path
) -> None:
    experiment = evaluate(task.bank, task.texts, task.y, select=["sentence"], models=["ridge"])
    run = experiment.save(tmp_path / "run")
    described = json.loads((run / "run.json").read_text(encoding="utf-8"))
    change(described["results"][0]["blocks"][0])
    (run / "run.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(RunError, match="blocks|n_columns"):
        load_run(run)
