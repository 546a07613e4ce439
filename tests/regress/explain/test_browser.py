"""Explanations as a page, and notebooks' HTML, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from regress import load_run
from tests.regress.report.chromium import Browser, installed
from tests.regress.report.pages import EVIL, evil_experiment

pytestmark = pytest.mark.skipif(
    not installed(), reason="needs Chromium: apt-get install chromium chromium-driver"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An explanation of hostile texts, and below it what a notebook shows of their run."""
    folder = tmp_path_factory.mktemp("evil")
    experiment = evil_experiment(folder)
    run = load_run(experiment.save(folder / "run"))
    texts = experiment.task.texts
    found = run.explain(texts[:3], training=texts, n_neighbours=4, ids=[EVIL, "2", "3"])
    path = folder / "page.html"
    shown = found.page() + experiment._repr_html_() + run._repr_html_()
    path.write_text(shown, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [420, 1200])
def test_it_shows_texts_and_runs_nothing(
    browser: Browser, page: Path, scheme: str, width: int
) -> None:
    browser.resize(width)
    browser.prefer(scheme)
    browser.open(page)
    assert browser.log() == []
    assert browser.run("return document.scripts.length + document.images.length") == 0
    assert EVIL in browser.run("return document.body.textContent")
    assert browser.run("return document.querySelectorAll('table').length") >= 6
    assert browser.run("return document.documentElement.scrollWidth") <= width
