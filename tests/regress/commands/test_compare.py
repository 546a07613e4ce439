"""``compare``: runs on the same folds, and refusals of all others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from regress import evaluate
from regress.blend import blend, save_blend
from regress.evaluation.metrics import paired_standard_error
from regress.runs.compare import compare_runs
from regress.sweep import save_sweep, sweep
from tests.regress.conftest import Cli, MadeUpTask

pytestmark = pytest.mark.usefixtures("without_reports")

MakeTask = Callable[..., MadeUpTask]


@pytest.fixture
def runs(task: MadeUpTask, tmp_path: Path) -> list[Path]:
    """A good run, a bad one, and a sweep."""
    good = evaluate(task.bank, task.texts, task.y, select=["mean[-1]", "mean[0]"])
    bad = evaluate(task.bank, task.texts, task.y, select="mean[0]")
    swept = sweep(task.bank, task.texts, task.y, models="ridge", greedy=False)
    return [
        good.save(tmp_path / "good"),
        bad.save(tmp_path / "bad"),
        save_sweep(swept, tmp_path / "swept"),
    ]


def test_differences_are_those_of_the_predictions(runs: list[Path], task: MadeUpTask) -> None:
    comparison = compare_runs(runs)
    assert comparison.runs == ["good", "bad", "swept"]
    standings = comparison.standings["target"]
    assert [s.row.scores.rmse for s in standings] == sorted(s.row.scores.rmse for s in standings)
    by_name = {standing.row.name.split(":")[0]: standing for standing in standings}
    best, bad = standings[0].row, by_name["bad"]
    assert bad.verdict == "worse"
    assert bad.behind.value == pytest.approx(bad.row.scores.rmse - best.scores.rmse)
    # Every text is another one: each counts by itself.
    assert bad.behind.se == pytest.approx(
        paired_standard_error(task.y, bad.row.splits(), best.splits())
    )
    mean = comparison.baselines["target"]
    assert mean.behind.value == pytest.approx(mean.row.scores.rmse - best.scores.rmse)


def test_copies_of_a_text_are_one_witness(
    cli: Cli, table: Path, task: MadeUpTask, tmp_path: Path
) -> None:
    """Where the file of a run is at hand, texts that stand in it twice count once."""
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([*lines, *lines[1:21]]) + "\n", encoding="utf-8")
    for select in ("mean[-1]", "mean[0]"):
        code, _, err = cli("regress", table, "--target", "score", "--bank", task.bank.path,
                           "--select", select, "--out", tmp_path / select, "-q")  # fmt: skip
        assert code == 0, err
    both = [tmp_path / "mean[-1]", tmp_path / "mean[0]"]
    known = compare_runs(both).standings["score"][1].behind.se
    table.unlink()
    unknown = compare_runs(both).standings["score"][1].behind.se
    assert known > unknown


def test_the_command(cli: Cli, runs: list[Path], tmp_path: Path) -> None:
    code, out, _ = cli("compare", *runs)
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("good: ridge mean[-1]" in line and "0." in line for line in lines)
    assert sum("├" in line and "●" in line and "┤" in line for line in lines) == 2
    assert sum(line.endswith("★") for line in lines) == 1
    assert any(line.endswith("training mean") for line in lines)
    found = json.loads(cli("compare", *runs, "--json")[1])
    assert [row["kind"] for row in found["results"]["target"]].count("auto") == 1
    assert found["baseline"]["target"]["kind"] == "baseline"
    picture = tmp_path / "a.png"
    assert cli("compare", *runs, "--out", picture, "-q")[0] == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    code, _, err = cli("compare", *runs, "--out", picture, "-q")
    assert code == 2
    assert "--force" in err
    assert cli("compare", *runs, "--out", picture.with_suffix(".svg"), "-q")[0] == 0
    assert picture.with_suffix(".svg").read_text(encoding="utf-8").startswith("<svg")
    assert "not a.pdf" in cli("compare", *runs, "--out", tmp_path / "a.pdf")[2]


@pytest.mark.parametrize("scale", [1e-6, 1e4, 1e9])
def test_targets_of_any_size_fit_80_columns(
    cli: Cli, task: MadeUpTask, tmp_path: Path, scale: float
) -> None:
    for select in ("mean[-1]+max[-1]+cls[-1]+mean[1]", "mean[0]"):
        evaluate(task.bank, task.texts, scale * task.y, select=select).save(tmp_path / select)
    runs = [tmp_path / "mean[0]", tmp_path / "mean[-1]+max[-1]+cls[-1]+mean[1]"]
    for command in (["compare", *runs], ["info", tmp_path]):
        code, out, _ = cli(*command)
        assert code == 0
        assert max(map(len, out.splitlines())) <= 80


def test_a_blend_beside_its_members(cli: Cli, runs: list[Path], tmp_path: Path) -> None:
    save_blend(blend(runs[:2]), tmp_path / "blended")
    code, out, _ = cli("compare", *runs[:2], tmp_path / "blended")
    assert code == 0
    assert "blended: blend" in out


def test_several_targets_and_splits(task: MadeUpTask, tmp_path: Path, cli: Cli) -> None:
    both = np.stack([task.y, -(task.y**2)], axis=1)
    for select in ("mean[-1]", "mean[0]"):
        evaluate(
            task.bank, task.texts, both, select=select, target_names=["ease", "age"],
            random_state=[0, 1],
        ).save(tmp_path / select)  # fmt: skip
    runs = [tmp_path / "mean[-1]", tmp_path / "mean[0]"]
    comparison = compare_runs(runs)
    assert {*comparison.standings} == {"ease", "age"}
    assert comparison.standings["ease"][0].row.splits().shape == (2, 60)
    assert cli("compare", *runs, "--out", tmp_path / "c.png")[0] == 0
    assert {path.name for path in tmp_path.glob("c*.png")} == {"c-1.png", "c-2.png"}


def test_other_runs_are_refused_with_the_reason(
    cli: Cli, runs: list[Path], task: MadeUpTask, tmp_path: Path
) -> None:
    def saved(name: str, rows: slice = slice(None), **options: object) -> Path:
        y = np.asarray(options.pop("y", task.y))
        return evaluate(
            task.bank, task.texts[rows], y[rows], **options,  # type: ignore[arg-type]
        ).save(tmp_path / name)  # fmt: skip

    for other, reason in (
        (saved("seeded", random_state=1), "different folds ("),
        (saved("repeated", random_state=[0, 1]), "different folds ("),
        (saved("fewer", slice(50)), "different texts (60 and 50)"),
        (saved("turned", slice(None, None, -1)), "different texts or another order"),
        (saved("named", target_names=["age"]), "different targets (target and age)"),
        (saved("shifted", y=task.y + 1), "different target values"),
    ):
        code, out, err = cli("compare", runs[0], other)
        assert (code, out) == (2, "")
        assert reason in err
        assert "cannot be compared" in err
    assert "two runs or more" in cli("compare", runs[0])[2]
    assert "two runs or more" in cli("compare", runs[0], runs[0])[2]
    assert "there is no run folder" in cli("compare", runs[0], tmp_path / "none")[2]
