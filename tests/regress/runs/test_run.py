"""The run folder: everything needed to repeat it, and nothing but data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features import Bank
from features.errors import FingerprintMismatch, InputError, RunError
from features.keys import text_keys
from regress import Experiment, TunedLightGBM, TunedSVR, evaluate, load_run
from regress.data.folds import Folds
from regress.data.matrix import term_matrix
from tests.regress.conftest import MadeUpTask, made_up_task
from tests.regress.plain import nested_predictions

MakeTask = Callable[..., MadeUpTask]
#: Of the same sums, in whichever order BLAS adds numbers that lie elsewhere in memory.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
pytestmark = pytest.mark.usefixtures("without_reports")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> MadeUpTask:
    return made_up_task(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def experiment(task: MadeUpTask) -> Experiment:
    """Evaluated once, for all that only save it."""
    return evaluated(task)


def evaluated(task: MadeUpTask) -> Experiment:
    models = ["ridge", TunedSVR([0.5], [1.0, 4.0], [0.1]), TunedLightGBM(40, 10)]
    ids = [f"{i:03d}" for i in range(90)]
    select = ["mean[-1]", "mean[1:]+cls[0]", "avg(max[:])"]
    return evaluate(task.bank, task.texts, task.y, select=select, models=models, ids=ids)


def test_every_saved_model_predicts_what_it_did_in_memory(
    task: MadeUpTask, experiment: Experiment, tmp_path: Path
) -> None:
    run = load_run(experiment.save(tmp_path / "run"))
    for result, saved in zip(experiment.results, run.models, strict=True):
        assert (saved.model, saved.select) == (result.model, result.select)
        if result.model != "lightgbm":  # whose trees are written anew
            np.testing.assert_equal(vars(saved.fitted), vars(result.fitted))
        X = task.bank.matrix(task.texts, result.select)
        expected = result.fitted.predict(X)
        np.testing.assert_allclose(saved.fitted.predict(X), expected, **CLOSE)
        np.testing.assert_allclose(run.predict(task.texts, model=saved.label), expected, **CLOSE)
    np.testing.assert_allclose(run.predict(task.texts), experiment.predict(task.texts), **CLOSE)
    best_svr = next(saved for saved in run.models if saved.model == "svr")
    assert run.chosen("svr") == [best_svr]


def test_plain_scikit_learn_on_the_saved_folds_gives_the_saved_scores(
    task: MadeUpTask, experiment: Experiment, tmp_path: Path
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


def test_a_moved_run_predicts_without_its_bank(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task()
    experiment = evaluated(task)
    expected = experiment.predict(task.texts)
    X = task.bank.matrix(task.texts, experiment.best.select)
    shutil.move(experiment.save(tmp_path / "run"), tmp_path / "elsewhere")
    copy = shutil.move(task.bank.path, tmp_path / "renamed.bank")
    run = load_run(tmp_path / "elsewhere")
    np.testing.assert_allclose(run.models[0].fitted.predict(X), expected, **CLOSE)
    with pytest.raises(RunError, match=r"made-up.bank .*: say where it is with --bank"):
        run.predict(task.texts)
    np.testing.assert_allclose(run.predict(task.texts, copy), expected, **CLOSE)
    np.testing.assert_allclose(run.predict(task.texts, [Bank.open(copy)]), expected, **CLOSE)
    other = make_task(name="other.bank", hidden=4).bank
    with pytest.raises(FingerprintMismatch, match="differs in hidden_size") as caught:
        run.predict(task.texts, other)
    assert caught.value.fields == ("hidden_size",)
    shutil.copytree(other.path, tmp_path / "made-up.bank")
    with pytest.raises(FingerprintMismatch):
        run.predict(task.texts)


def test_several_targets_are_predicted_side_by_side(task: MadeUpTask, tmp_path: Path) -> None:
    both = np.stack([task.y, -task.y], axis=1)
    experiment = evaluate(task.bank, task.texts, both, select=["mean[-1]", "mean[:]"])
    predicted = load_run(experiment.save(tmp_path / "run")).predict(task.texts)
    assert predicted.shape == (90, 2)
    np.testing.assert_allclose(predicted[:, 0], -predicted[:, 1], atol=1e-9)


def test_one_selection_may_stand_for_several_orders_of_blocks(
    make_task: MakeTask, tmp_path: Path
) -> None:
    """As in blends, whose targets have their bases in the order of their own scores."""
    task = make_task(60)
    Y = np.stack([task.y, task.y[::-1]], axis=1)
    folder = evaluate(task.bank, task.texts, Y, select="mean[1]+max[-1]").save(tmp_path / "run")
    description = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    description["results"][1]["blocks"].reverse()
    (folder / "run.json").write_text(json.dumps(description), encoding="utf-8")
    run = load_run(folder)
    assert run.models[0].select == run.models[1].select
    assert run.models[0].terms == run.models[1].terms[::-1]
    banks, keys = run.open_banks(task.bank), text_keys(task.texts)
    expected = [
        saved.fitted.predict(term_matrix(banks, keys, saved.terms)) for saved in run.chosen()
    ]
    predicted = run.predict(task.texts, task.bank)
    np.testing.assert_allclose(predicted, np.stack(expected, axis=1), **CLOSE)


def test_unknown_models_are_listed(
    task: MadeUpTask, experiment: Experiment, tmp_path: Path
) -> None:
    run = load_run(experiment.save(tmp_path / "run"))
    with pytest.raises(InputError, match=r"no model 'forest': it has '.*mean\[-1\]'"):
        run.predict(task.texts, model="forest")


def test_models_that_one_target_alone_has_are_refused(make_task: MakeTask, tmp_path: Path) -> None:
    """The winners of a sweep differ by target."""
    task = make_task(40)
    Y = np.stack([task.y, task.y[::-1]], axis=1)
    folder = evaluate(task.bank, task.texts, Y, target_names=["a", "b"]).save(tmp_path / "run")
    description = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    description["results"][0]["select"] = "max[-1]"
    (folder / "run.json").write_text(json.dumps(description), encoding="utf-8")
    run = load_run(folder)
    assert [saved.label for saved in run.chosen("ridge")] == ["ridge max[-1]", "ridge mean[-1]"]
    told = r"no model 'ridge max\[-1\]' of the target 'b', which has 'ridge mean\[-1\]': name one"
    with pytest.raises(InputError, match=told):
        run.chosen("ridge max[-1]")
    description["results"].pop()
    (folder / "run.json").write_text(json.dumps(description), encoding="utf-8")
    with pytest.raises(RunError, match="holds no model of the target 'b': repeat the run"):
        load_run(folder).chosen()
