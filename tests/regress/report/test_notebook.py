"""What objects show in a notebook: complete, small, and harmless whatever they hold."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extract import ExtractReport
from features import Bank
from features.banks import Banks
from features.console.html import bar, front, shade
from regress import evaluate, load_run
from regress.sweep import sweep
from tests.made_up import SETUP, SOURCE, add
from tests.regress.conftest import MadeUpTask
from tests.regress.report.pages import BLOCKS, EVIL, evil_experiment

MakeTask = Callable[..., MadeUpTask]
VOID = {"br", "hr", "meta"}


class Pieces(HTMLParser):
    """Tags, attributes and text; every tag has to be closed."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(markup)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


def shown(thing: Any) -> Pieces:
    pieces = Pieces(thing._repr_html_())
    for tag, attributes in pieces.tags:
        assert tag in {"div", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"}
        assert set(attributes) <= {"style", "scope"}
        assert "url(" not in (attributes.get("style") or "")
    return pieces


def test_an_experiment_is_a_leaderboard_and_a_heat_map(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task()
    experiment = evaluate(task.bank, task.texts, task.y, select=[*BLOCKS, "mean[:]"])
    pieces = shown(experiment)
    for fact in ("mean[:]", "ridge", "★", experiment.folds.short, "training mean"):
        assert fact in pieces.text
    shaded = [a for tag, a in pieces.tags if tag == "td" and "rgb(" in (a["style"] or "")]
    assert len(shaded) == len(BLOCKS)
    run = load_run(experiment.save(tmp_path / "run"))
    pieces = shown(run)
    assert f"{experiment.best.scores.rmse:.4f}" in pieces.text
    assert "mean[:]" in pieces.text
    assert str(run.path) in pieces.text
    assert "training mean" in pieces.text


def test_a_sweep_shows_what_it_tried(make_task: MakeTask) -> None:
    task = make_task()
    pieces = shown(sweep(task.bank, task.texts, task.y, models=["ridge"], greedy=False))
    assert "auto (ridge " in pieces.text
    assert "more" in pieces.text
    shaded = [a for tag, a in pieces.tags if tag == "td" and "rgb(" in (a["style"] or "")]
    assert len(shaded) == len(task.bank.blocks)


def test_several_targets_have_a_table_each(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task()
    both = np.stack([task.y, -(task.y**2)], axis=1)
    experiment = evaluate(task.bank, task.texts, both, target_names=["ease", "other"])
    assert [tag for tag, _ in shown(experiment).tags].count("table") == 2
    assert "ease" in shown(load_run(experiment.save(tmp_path / "run"))).text


def test_banks_and_reports(tmp_path: Path) -> None:
    bank = Bank.create(tmp_path / "b.bank", SETUP, {**SOURCE, "revision": "abc"})
    add(bank, ["one", "two"])
    for thing in (bank, Banks([bank])):
        pieces = shown(thing)
        for fact in ("bank b", "made-up at abc", "cls, mean, max, pooler", "truncate at 512"):
            assert fact in pieces.text
    report = ExtractReport(bank.path, 1200, 3, 4, 5000, 2.0, 1 << 20)
    for fact in ("1,200 texts", "600.0 texts/s", "1.0 MiB", "bank b"):
        assert fact in shown(report).text


def test_nothing_breaks_out(tmp_path: Path) -> None:
    experiment = evil_experiment(tmp_path)
    [bank] = experiment.banks.by_name.values()
    run = load_run(experiment.save(tmp_path / "run"))
    for thing in (experiment, bank, experiment.banks, run):
        pieces = shown(thing)
        assert "script" not in {tag for tag, _ in pieces.tags}
    assert EVIL in shown(experiment).text
    assert EVIL in shown(bank).text


def test_colours_and_bars() -> None:
    assert shade(-1) == shade(0) == (253, 231, 37)
    assert shade(1) == shade(2) == (68, 1, 84)
    assert "left:50.0%;width:50.0%" in bar(2.0, 1.0)
    assert "left:25.0%;width:25.0%" in bar(-0.5, 1.0)
    assert "width:0.0%" in bar(1.0, 0.0)


@pytest.mark.parametrize("at", np.linspace(0, 1, 21))
def test_numbers_stand_out_from_their_shade(at: float) -> None:
    def light(colour: tuple[int, ...]) -> float:
        parts = [c / 255 for c in colour]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722])) + 0.05

    letters = tuple(bytes.fromhex(front(at)[1:]))
    high, low = sorted((light(letters), light(shade(at))), reverse=True)
    assert high / low > 3.9
