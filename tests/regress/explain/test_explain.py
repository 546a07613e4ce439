"""Explanations: parts that add up, neighbours that the model itself would name."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from sklearn.metrics.pairwise import cosine_similarity, rbf_kernel
from typer.testing import CliRunner

from features import Bank
from features.console.app import new_app
from features.errors import InputError, LayerbankError, RunError
from features.keys import Text
from regress import TunedLightGBM, TunedSVR, evaluate, load_run
from regress.blend import blend, save_blend
from regress.commands.explain import explain_command_with
from regress.data.source import Source
from regress.models.base import FittedModel
from regress.models.pairwise import TunedPairwise, spread_anchors
from regress.models.rbf import RBFModel
from regress.models.ridge import RidgeModel
from regress.models.training import standardise
from regress.runs.run import Run
from regress.runs.save import save_run
from tests.regress.conftest import MadeUpTask, fill

MakeTask = Callable[..., MadeUpTask]
QUICK = ["ridge", TunedSVR([0.5], [1.0], [0.1]), TunedLightGBM(20, 10)]
BOUNDS = [0, 2, 3, 7]


def made_up(kind: type[Any], seed: int, spread: float) -> tuple[Any, np.ndarray]:
    """A model with made-up numbers and six texts, the first of them the average text."""
    rng = np.random.default_rng(seed)
    mean, scale = rng.standard_normal(7), rng.uniform(0.5, 2, 7)
    scale[4] = np.inf  # a constant column
    X = mean + np.concatenate([np.zeros((1, 7)), spread * rng.standard_normal((5, 7))])
    if kind is RidgeModel:
        return RidgeModel(mean, scale, rng.standard_normal(7), float(rng.standard_normal())), X
    support = mean + rng.standard_normal((12, 7))
    dual, intercept = rng.standard_normal(12), float(rng.standard_normal())
    return RBFModel(mean, scale, support, dual, intercept, 0.2), X


@pytest.mark.parametrize("kind", [RidgeModel, RBFModel])
@settings(max_examples=50)
@given(seed=st.integers(0, 10**6), spread=st.sampled_from([0.0, 1e-8, 0.1, 1.0, 10.0, 1e3]))
def test_blocks_add_up(kind: type[Any], seed: int, spread: float) -> None:
    model, X = made_up(kind, seed, spread)
    base, of_blocks = model.parts(X, BOUNDS)
    np.testing.assert_allclose(base + of_blocks.sum(axis=1), model.predict(X), atol=1e-9)
    np.testing.assert_array_equal(of_blocks[0], 0)


def test_a_ridge_block_is_its_own_sum() -> None:
    model, X = made_up(RidgeModel, 0, 1.0)
    expected = ((X - model.mean) / model.scale * model.coef)[:, 2:3].sum(axis=1)
    base, of_blocks = model.parts(X, BOUNDS)
    np.testing.assert_allclose(of_blocks[:, 1], expected)
    np.testing.assert_array_equal(base, model.intercept)


def test_an_svr_block_is_the_integral_along_the_line() -> None:
    model, X = made_up(RBFModel, 1, 1.5)
    S = standardise(model.support, model.mean, model.scale)

    def slope(t: float, z: np.ndarray, columns: slice) -> float:
        kernel = np.exp(-model.gamma * ((t * z - S) ** 2).sum(axis=1)) * model.dual_coef
        return float(kernel @ (-2 * model.gamma * (t * z - S))[:, columns] @ z[columns])

    of_blocks = model.parts(X, BOUNDS).of_blocks
    for z, parts in zip(standardise(X, model.mean, model.scale), of_blocks, strict=True):
        for part, (start, stop) in zip(parts, itertools.pairwise(BOUNDS), strict=True):
            expected, _ = quad(slope, 0, 1, args=(z, slice(start, stop)), epsabs=1e-12)
            assert part == pytest.approx(expected, abs=1e-9)


@pytest.fixture
def task(make_task: MakeTask) -> MadeUpTask:
    return make_task()


def save(task: MadeUpTask, path: Path, models: Sequence[Any] = QUICK, **options: Any) -> Run:
    """A run whose training file lies beside it."""
    table = path.with_suffix(".csv")
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = zip(map("{:03d}".format, range(len(task.texts))), task.texts, task.y, strict=True)
        csv.writer(file).writerows([["id", "text", "target"], *rows])
    source, dataset = Source(path=str(table), target=["target"], id="id").read()
    options = {"select": "mean[1:]+avg(max[:])", "models": models, **options}
    experiment = evaluate(
        options.pop("bank", task.bank), dataset.texts, dataset.targets,
        **{**source.arguments(dataset), **options},
    )  # fmt: skip
    return load_run(save_run(experiment, path, source=vars(source)))


def test_every_model_is_explained(task: MadeUpTask, tmp_path: Path) -> None:
    run = save(task, tmp_path / "run")
    texts = task.texts[:3]
    for saved in run.models:
        found = run.explain(texts, model=saved.model, n_neighbours=4)
        predicted = run.predict(texts, model=saved.model)
        for one, text, expected in zip(found, texts, predicted, strict=True):
            assert (one.text, one.model) == (text, saved.label)
            assert [*one.blocks] == ["mean[1]", "mean[2]", "avg(max[0,1,2])"]
            assert one.prediction == pytest.approx(expected, rel=1e-12)  # BLAS may add otherwise
            assert one.base + sum(one.blocks.values()) == pytest.approx(expected, abs=1e-9)
            assert one.trained_on == task.y[task.texts.index(text)]
            assert text not in [near.text for near in one.neighbours]
            similar = [near.similarity for near in one.neighbours]
            assert similar == sorted(similar, reverse=True)
            assert len(similar) == 4
            for near in one.neighbours:
                assert near.target == task.y[int(near.id)]
                assert near.text == task.texts[int(near.id)]


def kernel_of(model: FittedModel, X: np.ndarray) -> np.ndarray:
    """Similarities of all rows with all, by others' code."""
    if isinstance(model, RidgeModel):
        return cosine_similarity(standardise(X, model.mean, model.scale))
    if isinstance(model, RBFModel):
        return rbf_kernel(standardise(X, model.mean, model.scale), gamma=model.gamma)
    leaves = lightgbm.Booster(model_str=model.text).predict(X, pred_leaf=True)  # type: ignore[attr-defined]
    return np.array([[np.mean(one == other) for other in leaves] for one in leaves])


def test_neighbours_are_the_nearest_by_the_kernel(task: MadeUpTask, tmp_path: Path) -> None:
    run = save(task, tmp_path / "run")
    X = task.bank.matrix(task.texts, "mean[1:]+avg(max[:])")
    for saved in run.models:
        K = kernel_of(saved.fitted, X)
        np.testing.assert_allclose(saved.fitted.similarity_to(X[:5])(X), K[:5], atol=1e-9)
        [one] = run.explain([task.texts[7]], model=saved.model, n_neighbours=89)
        K[7, 7] = -np.inf
        found = {int(near.id): near.similarity for near in one.neighbours}
        assert len(found) == 89
        for row, similarity in found.items():
            assert similarity == pytest.approx(K[7, row], abs=1e-9)


def test_neighbours_do_not_depend_on_the_parts_they_are_read_in(
    task: MadeUpTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = save(task, tmp_path / "run", models=["ridge"])
    whole = run.explain(task.texts[:2]).items

    def few(n_rows: int, width: int) -> list[slice]:
        return [slice(start, start + 7) for start in range(0, n_rows, 7)]

    monkeypatch.setattr("regress.explain.neighbours.row_chunks", few)
    for one, expected in zip(run.explain(task.texts[:2]), whole, strict=True):
        found = [(near.id, near.text, near.target) for near in one.neighbours]
        assert found == [(near.id, near.text, near.target) for near in expected.neighbours]
        # Products of matrices of another shape are added in another order.
        np.testing.assert_allclose(
            [near.similarity for near in one.neighbours],
            [near.similarity for near in expected.neighbours],
            rtol=1e-12,
        )


def test_a_new_text_was_not_trained_on_and_has_copies_of_none(
    task: MadeUpTask, tmp_path: Path
) -> None:
    run = save(task, tmp_path / "run", models=["ridge"])
    twin = task.bank.matrix([task.texts[5]], "*[:]").reshape(1, -1, 6)
    fill(task.bank, ["a new text"], twin)
    [one] = run.explain(["a new text"])
    assert one.trained_on is None
    assert one.neighbours[0].text == task.texts[5]
    assert one.neighbours[0].similarity == pytest.approx(1)


def test_pairwise_shows_its_anchors(task: MadeUpTask, tmp_path: Path) -> None:
    run = save(task, tmp_path / "run", models=[TunedPairwise([0.25], [1.0], n_anchors=6)])
    [one] = run.explain(task.texts[:1], model="pairwise", n_neighbours=50)
    anchors = set(spread_anchors(task.y, 6).tolist()) - {0}
    assert {int(near.id) for near in one.neighbours} == anchors


def test_blends_and_several_targets(task: MadeUpTask, tmp_path: Path) -> None:
    one = save(task, tmp_path / "one", models=QUICK[:2], select=["mean[1]", "mean[1:]"])
    two = save(task, tmp_path / "two", models=QUICK[2:], select="max[-1]")
    run = load_run(save_blend(blend([one.path, two.path]), tmp_path / "blend"))
    [of_blend] = run.explain(task.texts[:1])
    assert set(of_blend.blocks) == {"mean[1]", "mean[2]", "max[2]"}
    whole = of_blend.base + sum(of_blend.blocks.values())
    assert whole == pytest.approx(float(run.predict(task.texts[:1])[0]), abs=1e-9)
    assert 0 <= of_blend.neighbours[0].similarity <= 1

    both = np.stack([task.y, -(task.y**2)], axis=1)
    several = evaluate(task.bank, task.texts, both, target_names=["a", "b"])
    found = load_run(several.save(tmp_path / "both")).explain(
        task.texts[:2], training=task.texts, ids=["x", "y"]
    )
    assert [(of.id, of.target) for of in found] == [("x", "a"), ("x", "b"), ("y", "a"), ("y", "b")]


def test_several_banks_and_one_bank_a_fold(make_task: MakeTask, tmp_path: Path) -> None:
    task, other = make_task(), make_task(seed=1, name="other.bank")
    fill(other.bank, task.texts, task.bank.matrix(task.texts, "*[:]").reshape(90, -1, 6))
    run = save(task, tmp_path / "run", ["ridge"], bank=[task.bank, other.bank],
               select="made-up/mean[1]+other/mean[1]")  # fmt: skip
    [one] = run.explain(task.texts[:1])
    assert [*one.blocks] == ["made-up/mean[1]", "other/mean[1]"]

    for fold in "012":
        setup = {**task.bank.setup, "weights": fold * 64}
        bank = Bank.create(tmp_path / f"tuned-{fold}.bank", setup, task.bank.source)
        fill(bank, task.texts, task.bank.matrix(task.texts, "*[:]").reshape(90, -1, 6))
    folds = [str(i % 3) for i in range(90)]
    run = save(task, tmp_path / "folds", ["ridge", TunedPairwise([0.25], [1.0])],
               select="mean[1:]", bank=str(tmp_path / "tuned-{fold}.bank"),
               folds=folds)  # fmt: skip
    [one] = run.explain(task.texts[:1], model="ridge")
    assert [*one.blocks] == ["mean[1]", "mean[2]"]
    expected = float(run.predict(task.texts[:1], model="ridge")[0])
    assert one.base + sum(one.blocks.values()) == pytest.approx(expected, abs=1e-9)
    with pytest.raises(InputError, match="anchors of their own"):
        run.explain(task.texts[:1], model="pairwise")
    assert len(run.explain(task.texts[:1], model="pairwise", n_neighbours=0)) == 1


def test_what_is_missing_is_named(task: MadeUpTask, make_task: MakeTask, tmp_path: Path) -> None:
    run = save(task, tmp_path / "run", models=["ridge"])
    bank = Bank.create(tmp_path / "empty.bank", task.bank.setup, task.bank.source)
    fill(bank, task.texts[:3], task.bank.matrix(task.texts[:3], "*[:]").reshape(3, -1, 6))
    with pytest.raises(RunError, match=r"lacks 87 of the training texts.*--bank.*-k 0"):
        run.explain(task.texts[:3], bank)
    assert run.explain(task.texts[:3], bank, n_neighbours=0)[2].blocks
    (tmp_path / "run.csv").rename(tmp_path / "moved.csv")
    with pytest.raises(InputError, match=r"run\.csv is not there.*--train.*-k 0"):
        run.explain(task.texts[:3])
    assert run.explain(task.texts[:3], training=tmp_path / "moved.csv")[0].neighbours
    with pytest.raises(InputError, match="not the texts that"):
        run.explain(task.texts[:3], training=task.texts[1:])
    python = evaluate(task.bank, task.texts, task.y).save(tmp_path / "python")
    with pytest.raises(RunError, match=r"does not say which file.*training"):
        load_run(python).explain(task.texts[:3])


def refuse(texts: Sequence[Text], into: Path, recorded: Mapping[str, Any]) -> None:
    raise InputError(f"{len(texts)} texts would have been encoded")


def test_the_command(task: MadeUpTask, tmp_path: Path) -> None:
    run = save(task, tmp_path / "run", models=["ridge"])
    app = new_app("explain")
    app.command()(explain_command_with(lambda *_: refuse))

    def call(*arguments: object) -> Any:
        return CliRunner().invoke(app, [str(run.path), *map(str, arguments)])

    table = tmp_path / "run.csv"
    plain = call(table, "--id", "id", "--only", "007", "-k", 2)
    assert plain.exit_code == 0, plain.output
    assert "id 007: predicted target " in plain.stdout
    numbered = call(table, "--only", 7, "-k", 2).stdout
    assert "row 7: predicted target " in numbered
    assert "similarity      target  id   training text" in numbered
    assert "\x1b" not in plain.stdout
    assert plain.stdout.count("seed 0") == 3
    answer = json.loads(call(table, "--json", "--only", "1", "--only", "9").stdout)
    assert [one["id"] for one in answer["explanations"]] == ["1", "9"]
    first = answer["explanations"][0]
    assert first["base"] + sum(first["blocks"].values()) == pytest.approx(first["prediction"])
    (tmp_path / "new.csv").write_text("text\nunknown\n")
    page = tmp_path / "page.html"
    assert call(table, "--html", page, "--only", "3").exit_code == 0
    assert "default-src 'none'" in page.read_text(encoding="utf-8")
    assert ">3: predicted target " in page.read_text(encoding="utf-8")
    few = Bank.create(tmp_path / "few.bank", task.bank.setup, task.bank.source)
    fill(few, task.texts[:3], task.bank.matrix(task.texts[:3], "*[:]").reshape(3, -1, 6))
    for arguments, message in (
        ((table, "--html", page), "exists: give another --html"),
        ((table, "--bank", tmp_path / "fww.bank"), "name one that is there, or have new texts"),
        ((tmp_path / "new.csv", "--bank", few.path), "lacks 87 of the training texts"),
        ((table, "--html", page, "--json", "--force"), "one of them"),
        ((table, "--force"), "--html"),
        ((table, "--only", "ninety"), "no row ninety"),
        ((table, "-k", -1), "from 0 on"),
        ((tmp_path / "new.csv", "--train", "x.csv"), "--train"),
        ((table, "--model", "svr"), "no model 'svr'"),
    ):
        error = call(*arguments).exception
        assert isinstance(error, LayerbankError)
        assert message in str(error)
    assert not (tmp_path / "fww.bank").exists()
    for also in ((), ("--bank", few.path, "-k", 0)):
        error = call(tmp_path / "new.csv", *also).exception
        assert str(error) == "1 texts would have been encoded"
    # What is to be encoded is not missing.
    error = call(table, "--bank", few.path).exception
    assert str(error) == "87 texts would have been encoded"


def test_nothing_in_a_text_moves_the_cursor(task: MadeUpTask, tmp_path: Path) -> None:
    evil = "\x1b[2J\x1b]0;title\x07 text"
    fill(task.bank, [evil], np.zeros((1, 9, 6), np.float32))
    named = MadeUpTask(task.bank, [*task.texts, evil], np.append(task.y, 3.0))
    run = save(named, tmp_path / "run", models=["ridge"])
    found = run.explain([evil], n_neighbours=90, ids=[evil])
    shown = found.text("id").plain
    assert "\\x1b[2J" in shown
    assert all(one.isprintable() for one in shown.replace("\n", ""))


def test_neighbours_of_a_filtered_series_keep_their_targets(
    task: MadeUpTask, tmp_path: Path
) -> None:
    run = save(task, tmp_path / "run", models=["ridge"])
    texts = pd.Series(task.texts, index=np.random.default_rng(0).permutation(len(task.texts)))
    (one,) = run.explain(task.texts[:1], n_neighbours=3, training=texts)
    for near in one.neighbours:
        assert near.target == task.y[task.texts.index(near.text)]


def test_nothing_in_a_text_is_markup(task: MadeUpTask, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    fill(task.bank, [evil], np.zeros((1, 9, 6), np.float32))
    named = MadeUpTask(task.bank, [*task.texts, evil], np.append(task.y, 3.0))
    run = save(named, tmp_path / "run", models=["ridge"])
    shown = run.explain([evil, task.texts[0]], n_neighbours=90, ids=[evil, "<b>"])._repr_html_()
    assert "<script" not in shown
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "&lt;script&gt;" in shown
