"""``report.html`` in a real browser, from ``file://``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from regress.runs.save import save_run
from tests.regress.report.chromium import Browser, installed
from tests.regress.report.pages import EVIL, evil_experiment

pytestmark = pytest.mark.skipif(
    not installed(), reason="needs Chromium: apt-get install chromium chromium-driver"
)
TOOLTIP = "return document.querySelector('#vg-tooltip-element.visible')?.innerText ?? ''"
COLUMN = "return [...document.querySelectorAll('#t0-results tbody tr')].map(r => r.cells[{}].{})"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evil")
    return save_run(evil_experiment(folder), folder / "run") / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture
def opened(browser: Browser, report: Path) -> Browser:
    browser.resize(1200)
    browser.open(report)
    return browser


def test_it_opens_without_a_word_on_the_console(opened: Browser) -> None:
    assert opened.log() == []
    assert opened.run("return performance.getEntriesByType('resource').length") == 0


def test_texts_are_text(opened: Browser) -> None:
    """An alert would fail every later command, and the markup would leave elements behind."""
    assert opened.run("return document.scripts.length") == 3
    assert opened.run("return document.images.length") == 0
    assert EVIL in opened.run("return document.querySelector('blockquote').textContent")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(opened: Browser, scheme: str) -> None:
    opened.prefer(scheme)
    contrast = """
      const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255)
          .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
      };
      const back = light(getComputedStyle(document.body).backgroundColor);
      return [...document.querySelectorAll(arguments[0])].map((element) => {
        const front = light(getComputedStyle(element)[arguments[1]]);
        return Math.max(front, back) / Math.min(front, back);
      });"""
    for selector, property_ in (
        ("h1, p, td, figcaption, summary, dd", "color"),
        (".role-axis-label text, .role-axis-title text", "fill"),
    ):
        assert min(opened.run(contrast, selector, property_)) > 4.5


def test_the_table_sorts(opened: Browser) -> None:
    rmse = opened.run(COLUMN.format(0, "dataset.value"))
    assert rmse[:-1] == sorted(rmse[:-1], key=float)
    opened.click("#t0-results th:nth-child(1) button")
    assert opened.run(COLUMN.format(0, "dataset.value")) == sorted(rmse, key=float)[::-1]
    for expected in (
        ["max[-1]", "mean[-1]", "training mean"],
        ["training mean", "mean[-1]", "max[-1]"],
    ):
        opened.click("#t0-results th:nth-child(3) button")
        assert opened.run(COLUMN.format(2, "textContent")) == expected
    sorted_by = "return document.querySelector('#t0-results [aria-sort]').ariaSort"
    assert opened.run(sorted_by) == "descending"


def test_hovering_shows_the_text_and_the_numbers(opened: Browser) -> None:
    opened.hover("#t0-predicted-against-true .mark-symbol path:last-of-type")
    shown = opened.run(TOOLTIP)
    assert EVIL[:30] in shown
    assert "predicted" in shown
    assert opened.run("return document.images.length") == 0
    opened.hover("#t0-heat-map-ridge .mark-rect.role-mark path")
    assert "behind the best" in opened.run(TOOLTIP)
    assert opened.log() == []


def test_a_text_opens(opened: Browser) -> None:
    opened.click(".worst summary")
    assert opened.run("return document.querySelector('.worst details').open")


@pytest.mark.parametrize("width", [320, 420, 800])
def test_nothing_is_wider_than_a_phone(opened: Browser, report: Path, width: int) -> None:
    opened.resize(width)
    opened.open(report)
    assert opened.run("return document.documentElement.scrollWidth") <= width
    drawn = "return [...document.querySelectorAll('.chart svg')].map(s => s.clientWidth)"
    assert min(opened.run(drawn)) > 120
    assert max(opened.run(drawn)) <= width
