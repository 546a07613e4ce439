"""``report.html``: complete, self-contained, and harmless whatever the texts say."""

from __future__ import annotations

import json
import re
import shlex
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from regress import Experiment, TunedSVR, evaluate
from regress.blend import blend, save_blend
from regress.blend.output import blend_json
from regress.evaluation.notes import notes
from regress.report.contents import all_contents
from regress.report.page import embedded_json
from regress.report.writing import write_report
from regress.runs.report_file import read_contents
from regress.runs.save import save_run
from regress.sweep import sweep
from tests.made_up import SOURCE
from tests.regress.conftest import MadeUpTask, fill
from tests.regress.report.pages import EVIL, Page, evil_experiment

MakeTask = Callable[..., MadeUpTask]


@pytest.fixture
def task(make_task: MakeTask) -> MadeUpTask:
    return make_task()


def test_the_page_holds_everything(experiment: Experiment, tmp_path: Path) -> None:
    folder = save_run(
        experiment, tmp_path / "run", source={"path": "/data/my texts.csv", "target": ["target"]}
    )
    page = Page(folder / "report.html")
    assert set(page.data["t0"]["figures"]) == {
        "leaderboard", "heat-map-ridge", "heat-map-svr", "predicted-against-true",
        "residuals-by-length", "residuals-by-target", "fold-scores", "groups", "learning-curve",
    }  # fmt: skip
    [bank] = experiment.banks.by_name.values()
    for fact in (
        bank.fingerprint, SOURCE["encoder"], experiment.folds.digest, "scikit-learn",
        "/data/my texts.csv", f"{experiment.best.scores.rmse:.3f}",
    ):  # fmt: skip
        assert str(fact) in page.text
    rows = [tag for tag, _ in page.tags if tag == "tr"]
    assert len(rows) == 2 + len(experiment.results)
    contents = all_contents(experiment)[0]
    for row in contents.worst:
        assert experiment.task.texts[row] in page.text
    largest = np.abs(contents.y - experiment.best.predictions).max()
    assert abs(contents.residuals[contents.worst[0]]) == largest


def test_the_title_names_target_encoder_and_run(experiment: Experiment, tmp_path: Path) -> None:
    page = (experiment.save(tmp_path / "my run") / "report.html").read_text(encoding="utf-8")
    [title] = re.findall("<title>(.*?)</title>", page)
    assert title == f"target from {SOURCE['encoder']} · my run · layerbank"
    [heading] = re.findall("<h1>(.*?)</h1>", page)
    assert "target" in heading
    assert SOURCE["encoder"] in heading
    assert "<b>my run</b>" in page


def test_a_page_without_a_baseline_is_drawn_from_what_there_is(
    experiment: Experiment, tmp_path: Path
) -> None:
    """Runs that were saved before have none in their report.json."""
    folder = experiment.save(tmp_path / "run")
    assert "training mean" in Page(folder / "report.html").text
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    for target in data["targets"]:
        del target["baseline"]
    [contents], _ = read_contents(json.dumps(data).encode())
    assert contents.baseline is None
    description = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    write_report([contents], description, folder, notes=[])
    page = Page(folder / "report.html")
    assert "training mean" not in page.text
    assert len([tag for tag, _ in page.tags if tag == "tr"]) == 1 + len(experiment.results)


def test_what_is_said_beside_scores_is_in_the_report(task: MadeUpTask, tmp_path: Path) -> None:
    words = " ".join(f"word{i}" for i in range(60))
    more = [f"{words} {i}" for i in range(6)]
    fill(task.bank, more, np.random.default_rng(1).standard_normal((6, 9, 6)).astype(np.float32))
    given = (task.bank, task.texts + more, np.r_[task.y, np.arange(6.0)])
    weights = 1 + np.arange(96) % 3
    experiment = evaluate(*given, select=["mean[-1]", "mean[:]"], sample_weight=weights)
    swept = sweep(*given, models="ridge", greedy=False, sample_weight=weights)
    run = experiment.save(tmp_path / "run")
    said = notes(experiment)
    assert [("flatters" in one, "are weighted" in one) for one in said] == [(0, 1), (1, 0)]
    blended = blend([run])
    of_blend = json.loads(blend_json(blended, "blend"))["notes"]
    assert [("flatters" in one, "are weighted" in one) for one in of_blend] == [(0, 1), (1, 0)]
    for folder, told in (
        (run, said),
        (swept.save(tmp_path / "swept"), notes(swept)),
        (save_blend(blended, tmp_path / "blend"), of_blend),
    ):
        page = Page(folder / "report.html")
        for one in told:
            assert one in page.text


def test_nothing_is_loaded_from_anywhere(experiment: Experiment, tmp_path: Path) -> None:
    page = Page(experiment.save(tmp_path / "run") / "report.html")
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "img")
        assert not {"src", "srcset", "data", "action", "background"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    styles = (Path(__file__).parents[3] / "regress/report/page/report.css").read_text("utf-8")
    assert "url(" not in styles
    assert "@import" not in styles
    [policy] = [a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "http" not in policy
    scripts = policy.split("script-src")[1].split(";")[0]
    assert "'unsafe-inline'" not in scripts
    assert scripts.count("'sha256-") == 2


def test_texts_cannot_break_out(tmp_path: Path) -> None:
    experiment = evil_experiment(tmp_path)
    source = {"path": f"/data/{EVIL}.csv", "text": [EVIL], "target": [EVIL]}
    folder = save_run(experiment, tmp_path / "run", source=source, figures=True)
    page = Page(folder / "report.html")
    assert len(page.scripts) == 3
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert not [tag for tag, _ in page.tags if tag == "img"]
    raw = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in raw
    assert page.text.count(EVIL) > 12
    assert page.data["t0"]["points"]["id"][0].startswith(EVIL)
    assert "49" not in page.data["t0"]["points"]["group"][0]
    for file in (folder / "figures").glob("*.svg"):
        tags = {element.tag.split("}")[1] for element in ElementTree.parse(file).iter()}
        assert not tags & {"script", "img", "foreignObject"}


def test_embedded_json_holds_no_markup() -> None:
    text = embedded_json([EVIL, "<!--", "]]>"])
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == [EVIL, "<!--", "]]>"]


def test_figures_are_written_as_png_and_svg(experiment: Experiment, tmp_path: Path) -> None:
    folder = save_run(experiment, tmp_path / "run", figures=True) / "figures"
    names = {file.stem for file in folder.iterdir()}
    assert names == set(Page(tmp_path / "run" / "report.html").data["t0"]["figures"])
    for name in names:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert len(ElementTree.parse(folder / f"{name}.svg").findall(".//*")) > 20
    assert not (experiment.save(tmp_path / "plain") / "figures").exists()


def test_several_targets_have_a_part_each(task: MadeUpTask, tmp_path: Path) -> None:
    both = np.stack([task.y, -(task.y**2)], axis=1)
    experiment = evaluate(
        task.bank, task.texts, both, select=["mean[0]", "mean[1]"], target_names=["ease", "a/b"]
    )
    folder = save_run(experiment, tmp_path / "run", figures=True)
    page = Page(folder / "report.html")
    assert set(page.data) == {"t0", "t1"}
    np.testing.assert_allclose(page.data["t1"]["points"]["true"], both[:, 1])
    assert "learning-curve" in page.data["t1"]["figures"]
    assert {file.name[:2] for file in (folder / "figures").iterdir()} == {"1-", "2-"}


def test_a_sweep_shows_what_it_tried(task: MadeUpTask, tmp_path: Path) -> None:
    swept = sweep(task.bank, task.texts, task.y, models=["ridge", TunedSVR([0.5], [1.0], [0.1])])
    folder = save_run(swept, tmp_path / "run")
    page = Page(folder / "report.html")
    assert {"heat-map-ridge", "learning-curve"} <= set(page.data["t0"]["figures"])
    rows = [tag for tag, _ in page.tags if tag == "tr"]
    assert len(rows) == 2 + len({row.label for row in swept.rows("target")})
    contents = all_contents(swept)[0]
    assert contents.best.kind == "auto"
    assert contents.best.scores.rmse == swept.best.scores.rmse
    assert len(contents.heat_maps[0].cells) == len(task.bank.blocks)
    verdicts = [cell.verdict for cell in contents.heat_maps[0].cells.values()]
    assert verdicts.count("best") == 1


def test_the_command_repeats_the_run(experiment: Experiment, tmp_path: Path) -> None:
    source = {
        "path": "/d/it's.csv", "text": ["a b"], "target": ["y"], "id": "id", "skip_empty": True,
    }  # fmt: skip
    folder = save_run(experiment, tmp_path / "it's a run", source=source)
    found = re.search(r"layerbank regress.*again", Page(folder / "report.html").text)
    assert found is not None
    # Another --out: what is there would be refused.
    assert shlex.split(found.group())[2:] == ["--from", str(folder), "--out", "again"]


def test_lines_of_python_repeat_a_run_without_a_file(
    experiment: Experiment, tmp_path: Path
) -> None:
    page = Page(experiment.save(tmp_path / "run") / "report.html")
    lines = page.text[page.text.index("from layerbank import evaluate") :]
    given = {"texts": experiment.task.texts, "y": experiment.task.Y[:, 0]}
    exec(lines[: lines.index("experiment.save")], given)
    again = given["experiment"]
    assert isinstance(again, Experiment)
    assert again.folds.digest == experiment.folds.digest
    ridge = [[r.scores.rmse for r in e.results if r.model == "ridge"] for e in (again, experiment)]
    np.testing.assert_allclose(ridge[0], ridge[1])
