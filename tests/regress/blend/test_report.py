"""Reports of blends, and RMSE by further columns."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from regress import evaluate
from regress.blend import blend, save_blend
from regress.blend.results import blend_results
from regress.cli import app
from regress.data.source import Source
from regress.evaluation.metrics import rmse
from regress.report.contents import all_contents
from regress.report.shares import EMPTY, MAX_PARTS, shares_by
from regress.runs.run import load_run
from regress.runs.save import save_run
from tests.regress.blend.runs import two_runs
from tests.regress.conftest import MadeUpTask
from tests.regress.report.pages import EVIL, Page

MakeTask = Callable[..., MadeUpTask]


def test_a_blend_stands_beside_its_members(make_task: MakeTask, tmp_path: Path) -> None:
    blended = blend(two_runs(make_task(), tmp_path))
    folder = save_blend(blended, tmp_path / "blend", figures=True)
    page = Page(folder / "report.html")
    figures = set(page.data["t0"]["figures"])
    assert {"leaderboard", "weights", "predicted-against-true", "residuals-by-target",
            "fold-scores"} == figures  # fmt: skip
    assert {file.stem for file in (folder / "figures").glob("*.svg")} == figures
    [target] = blended.targets
    assert len([tag for tag, _ in page.tags if tag == "tr"]) == 3 + len(target.bases)
    repeat = f"layerbank blend --from {folder} --out again"
    for fact in ("one: ridge mean[1]", "two: lightgbm mean[1]", target.label, repeat):
        assert fact in page.text
    np.testing.assert_array_equal(page.data["t0"]["points"]["predicted"], target.predictions)
    [shown] = page.data["t0"]["figures"]["weights"]["datasets"].values()
    assert {row["name"]: row["weight"] for row in shown} == {
        base.name: weight for base, weight in zip(target.bases, target.weights.values, strict=True)
    }


def test_numbers_of_members_are_their_runs_own(make_task: MakeTask, tmp_path: Path) -> None:
    runs = two_runs(make_task(), tmp_path)
    contents = all_contents(blend_results(blend(runs)))[0]
    assert contents.best.kind == "blend"
    for run in map(load_run, runs):
        for saved, result in zip(run.models, run.description["results"], strict=True):
            [row] = [
                standing.row for standing in contents.standings
                if standing.row.name == f"{run.path.name}: {saved.label}"
            ]  # fmt: skip
            assert row.scores.rmse == pytest.approx(saved.scores["rmse"])
            assert row.naive_rmse == result["naive_rmse"]
            np.testing.assert_allclose(row.fold_rmse, result["fold_rmse"])


def table_of(task: MadeUpTask, path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "target", "kind", "size", EVIL])
        for i, (text, y) in enumerate(zip(task.texts, task.y, strict=True)):
            writer.writerow([i, text, y, "abc"[i % 3], "" if i < 4 else i / 7, EVIL])
    return path


def test_a_blend_of_files_shows_their_texts(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task()
    source, dataset = Source(
        path=str(table_of(task, tmp_path / "a.csv")), target=["target"], id="id", by=("kind",)
    ).read()
    runs = []
    for number, model in enumerate(("ridge", "ridge")):
        arguments = source.arguments(dataset)
        experiment = evaluate(task.bank, dataset.texts, dataset.targets, models=model,
                              select=f"mean[{number}]", **arguments)  # fmt: skip
        runs.append(save_run(experiment, tmp_path / f"run{number}", source=vars(source)))
    page = Page(save_blend(blend(runs), tmp_path / "one") / "report.html")
    assert {"residuals-by-length", "by-1"} <= set(page.data["t0"]["figures"])
    assert sum(text in page.text for text in task.texts) >= 12
    (tmp_path / "a.csv").write_text("id,text,target,kind\n1,other,1,a\n")
    page = Page(save_blend(blend(runs), tmp_path / "two") / "report.html")
    assert not any(text in page.text for text in task.texts)
    (tmp_path / "a.csv").unlink()
    assert (save_blend(blend(runs), tmp_path / "three") / "report.html").is_file()


def test_parts_of_a_column() -> None:
    rng = np.random.default_rng(0)
    y, predicted = rng.standard_normal((2, 100))
    kinds = ["ab"[i % 2] if i < 98 else "" for i in range(100)]
    found = {part.name: part for part in shares_by(y, predicted, kinds)}
    assert set(found) == {"a", "b", EMPTY}
    rows = np.arange(0, 98, 2)
    assert found["a"].n_texts == 49
    assert found["a"].rmse == pytest.approx(rmse(y[rows], predicted[rows]))
    errors = [part.rmse for part in shares_by(y, predicted, kinds)]
    assert errors == sorted(errors, reverse=True)

    sizes = rng.permutation(100).astype(float)
    parts = shares_by(y, predicted, [*map(str, sizes)])
    assert [part.n_texts for part in parts] == [20] * 5
    assert parts[0].name == "0 to 19"
    lowest = sizes < 20
    assert parts[0].rmse == pytest.approx(rmse(y[lowest], predicted[lowest]))
    some = shares_by(y, predicted, [None if i < 5 else size for i, size in enumerate(sizes)])
    assert some[-1].name == EMPTY
    assert sum(part.n_texts for part in some) == 100

    assert len(shares_by(y, predicted, [f"n{i}" for i in range(100)])) == MAX_PARTS
    assert len(shares_by(y, predicted, [i % 12 for i in range(100)])) == 12
    assert len(shares_by(y, predicted, [*map(str, range(99)), "inf"])) == MAX_PARTS
    weights = np.where(np.arange(100) % 2, 3.0, 1.0)
    whole = shares_by(y, predicted, ["all"] * 100, weights)
    assert whole[0].rmse == pytest.approx(rmse(y, predicted, weights))


def test_by_on_the_command_line(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task()
    table = str(table_of(task, tmp_path / "a.csv"))
    options = [table, "--target", "target", "--bank", str(task.bank.path), "-q"]
    options += ["--id", "id"]

    def call(*arguments: str) -> None:
        result = CliRunner().invoke(app, [*arguments])
        assert result.exit_code == 0, result.output

    by = ["--by", "kind", "--by", "size", "--by", EVIL]
    call("regress", *options, *by, "--out", str(tmp_path / "run"))
    page = Page(tmp_path / "run" / "report.html")
    assert {"by-1", "by-2", "by-3"} <= set(page.data["t0"]["figures"])
    assert "RMSE by kind" in page.text
    assert len(page.scripts) == 3
    call("regress", "--from", str(tmp_path / "run"), "--out", str(tmp_path / "again"), "-q")
    assert "by-3" in Page(tmp_path / "again" / "report.html").data["t0"]["figures"]
    call(
        "sweep", *options, "--model", "ridge", "--no-greedy", *by[:2], "--out", str(tmp_path / "s")
    )
    assert "by-1" in Page(tmp_path / "s" / "report.html").data["t0"]["figures"]
    blended = ["blend", str(tmp_path / "run"), str(tmp_path / "s"), "--out", str(tmp_path / "b")]
    told = CliRunner().invoke(app, blended)
    assert "b NEW.csv" in told.output
    wrong = CliRunner().invoke(app, ["regress", *options, "--by", "kinds", "--out", "x"])
    assert "did you mean 'kind'" in str(wrong.exception)
    both = ["regress", "--from", str(tmp_path / "run"), "--by", "kind", "--out", "x"]
    assert "drop --by" in str(CliRunner().invoke(app, both).exception)
