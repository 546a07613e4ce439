"""Reports are drawn after a run is saved, from its folder alone, and nothing in them ends it."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import RunError
from regress import Experiment, evaluate, load_run
from regress.blend import blend, save_blend
from regress.report.charts import figures
from regress.report.contents import all_contents
from regress.report.page import render
from regress.report.writing import write_report
from regress.runs import drawing
from regress.runs.drawing import LACKING, draw_here, why_not_drawn
from regress.runs.report_file import read_contents, write_contents
from regress.runs.save import save_run
from tests.regress.conftest import Cli, MadeUpTask, made_up_task
from tests.regress.report.pages import Page

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*/*/run.json"))

#: What an XML parser, and the renderer of pictures with it, ends over.
NASTY = "a\x0cb\x00c\x1b[31m\ufffe\ud800"


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> MadeUpTask:
    return made_up_task(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def experiment(task: MadeUpTask) -> Experiment:
    return evaluate(
        task.bank, task.texts, task.y, select=["mean[-1]", "mean[0]"],
        groups=[f"author {i % 6}" for i in range(len(task.texts))],
    )  # fmt: skip


@pytest.fixture(scope="module")
def saved(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(experiment, tmp_path_factory.mktemp("saved") / "run")


@pytest.fixture
def run(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "run")
    return tmp_path / "run"


def put(run: Path, content: bytes) -> None:
    """Another report.json, whose hash is right."""
    (run / "report.json").write_bytes(content)
    description = json.loads((run / "run.json").read_text())
    description["sha256"]["report.json"] = hashlib.sha256(content).hexdigest()
    (run / "run.json").write_text(json.dumps(description))


def test_what_is_read_is_what_was_written(
    task: MadeUpTask, experiment: Experiment, tmp_path: Path
) -> None:
    by = {"half": [i % 2 for i in range(len(task.texts))]}
    contents = all_contents(experiment, by, {"target": [("one", 0.5)]})
    write_contents(contents, ["a note"], tmp_path / "a.json")
    read, notes = read_contents((tmp_path / "a.json").read_bytes())
    assert notes == ["a note"]
    write_contents(read, notes, tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    described = {"folds": {"hash": "", "labels": [], "seed": 0, "n_folds": 5, "scheme": "plain",
                           "repeats": []},
                 "texts": {"n": 3, "keys": "", "weighted": False}, "banks": [],
                 "versions": {}, "created": "", "input": {"path": "a"}}  # fmt: skip
    pages = [
        render([(one, figures(one)) for one in each], described, tmp_path, notes)
        for each in (contents, read)
    ]
    first, second = (re.sub(r"(view|param)_\d+", "", page) for page in pages)
    assert first == second


def test_the_run_stands_before_anything_is_drawn(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def draws(run: Path, *, figures: bool) -> None:
        seen.append((load_run(run).targets, figures, (run / "report.json").is_file()))

    monkeypatch.setattr(drawing, "draw_report", draws)
    folder = save_run(experiment, tmp_path / "run", figures=True)
    save_blend(blend([folder]), tmp_path / "blend")
    assert seen == [(["target"], True, True), (["target"], False, True)]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import os; os.abort()", "what draws it was ended by signal 6"),
        ("import resource as r; r.setrlimit(r.RLIMIT_AS, (1 << 28, -1)); "
         "from regress.runs.drawing import main; main()", ""),
        ("import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (4, 9)); "
         "from regress.runs.drawing import main; main()", ""),
        ("raise SystemExit(7)", "what draws it left with 7"),
        ("raise ValueError('no')", "ValueError: no"),
    ],
    ids=["abort", "memory", "descriptors", "exit", "error"],
)  # fmt: skip
def test_whatever_ends_the_drawing_leaves_the_run(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, cli: Cli, code: str, why: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(drawing, "_CODE", code)
    with caplog.at_level(logging.WARNING):
        folder = save_run(experiment, tmp_path / "run", figures=True)
    [said] = [record.message for record in caplog.records]
    assert f"its report is not drawn ({why}" in said
    assert said.endswith(f": call layerbank report {folder} --figures")
    assert load_run(folder).read_oof()
    exit_code, out, err = cli("report", folder, "--figures")
    assert (exit_code, out) == (2, "")
    assert f"the report of {folder} is not drawn ({why}" in " ".join(err.split())
    monkeypatch.undo()
    assert cli("report", folder)[0] == 0
    assert Page(folder / "report.html").data


def test_a_process_that_cannot_start_leaves_the_run(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing.sys, "executable", "/nowhere/python")
    assert "No such file" in why_not_drawn(run, figures=False)


def test_no_character_ends_the_renderer(task: MadeUpTask, tmp_path: Path) -> None:
    n = len(task.texts)
    experiment = evaluate(
        task.bank, task.texts, task.y, select="mean[-1]", target_names=[NASTY[:-1]],
        groups=[f"{NASTY} {i % 6}" for i in range(n)], ids=[f"{NASTY[:-1]}{i}" for i in range(n)],
    )  # fmt: skip
    folder = save_run(experiment, tmp_path / "run", figures=True)
    drawn = sorted(path.name for path in (folder / "figures").iterdir())
    assert {"groups.png", "groups.svg", "predicted-against-true.png"} <= {*drawn}


def test_a_report_is_drawn_again(run: Path, cli: Cli, tmp_path: Path) -> None:
    before = Page(run / "report.html")
    (tmp_path / "elsewhere").write_text("mine")
    (run / "report.html").unlink()
    (run / "report.html").symlink_to(tmp_path / "elsewhere")
    code, out, _ = cli("report", run, "--figures")
    assert code == 0
    assert str(run / "report.html") in out
    page = Page(run / "report.html")
    assert page.data["t0"]["points"] == before.data["t0"]["points"]
    assert {path.suffix for path in (run / "figures").iterdir()} == {".png", ".svg"}
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert not any(path.name.startswith(".") for path in run.iterdir())
    assert cli("report", tmp_path / "none")[0] == 2


def test_what_stands_where_it_is_called_is_not_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("regress", "features", "altair"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    assert why_not_drawn(run, figures=False) == ""


@pytest.mark.parametrize("path", GOLDEN, ids=[path.parent.name for path in GOLDEN])
def test_runs_of_earlier_versions_are_drawn_without_what_they_lack(
    path: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(path.parent, run)
    draw_here(run, figures=False)
    page = Page(run / "report.html")
    assert LACKING in page.text
    description = json.loads(path.read_text())
    assert len(page.data) == len(description["targets"])
    for number, target in enumerate(description["targets"]):
        first = next(each for each in description["results"] if each["target"] == target)
        points, table = page.data[f"t{number}"]["points"], load_run(run).read_oof()
        np.testing.assert_array_equal(
            points["true"], np.array(table[target], float)[: len(points["true"])]
        )
        if load_run(run).made_by != "regress":
            np.testing.assert_array_equal(
                points["predicted"], np.array(table[first["column"]], float)
            )


def test_names_of_figures_lead_nowhere(run: Path) -> None:
    [contents], notes = read_contents((run / "report.json").read_bytes())
    maps = [replace(contents.heat_maps[0], model=name) for name in ("/../../../x", "a\x00b", "é")]
    description = json.loads((run / "run.json").read_text())
    strange = replace(contents, heat_maps=maps)
    write_report([strange], description, run, notes=notes, save_figures=True)
    found = {path.name for path in (run / "figures").glob("heat*.png")}
    assert found == {"heat-map--..-..-..-x.png", "heat-map-a-b.png", "heat-map-é.png"}
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_a_damaged_report_json_is_refused(run: Path, cli: Cli) -> None:
    content = (run / "report.json").read_bytes()
    (run / "report.json").write_bytes(content + b" ")
    code, _, err = cli("report", run)
    assert code == 2
    assert "is not the file that the run wrote" in " ".join(err.split())
    for other in (b"", b"[]", b"{}", b"[" * 100_000, b"\xff", content[:-9]):
        put(run, other)
        with pytest.raises(RunError, match="is damaged"):
            draw_here(run, figures=False)


def changed(value: Any, chance: random.Random) -> Any:
    """A value with one part of it, somewhere, replaced, removed or doubled."""
    if isinstance(value, dict) and value and chance.random() < 0.95:
        key = chance.choice([*value])
        if chance.random() < 0.05:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: changed(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        place = chance.randrange(len(value))
        if chance.random() < 0.1:
            return value[:place] + value[place + chance.randrange(2) * 2 :]
        return [*value[:place], changed(value[place], chance), *value[place + 1 :]]
    return chance.choice(
        [None, True, -1, 0, 10**9, 10**400, 1e308, -0.5, "", "../../x", NASTY, [], {}, [[]],
         {"expr": "1"}, float("inf")]
    )  # fmt: skip


@pytest.mark.parametrize("n", [150, pytest.param(5000, marks=pytest.mark.slow)])
def test_whatever_a_strangers_report_json_holds_is_drawn_or_refused(run: Path, n: int) -> None:
    chance, refused = random.Random(0), 0
    described = json.loads((run / "report.json").read_text())
    description = json.loads((run / "run.json").read_text())
    for _ in range(n):
        try:
            content = json.dumps(changed(described, chance)).encode()
            contents, notes = read_contents(content)
            page = render([(one, figures(one)) for one in contents], description, run, notes)
            assert page.count("<script") == 3
        except ValueError:
            refused += 1
    assert 0.5 < refused / n < 0.99
    assert [path.name for path in run.parent.iterdir()] == ["run"]
