"""The built documentation: no warning, no dead link, nothing from the network, nothing left out."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer.main

import layerbank.cli
from tests.pages import ROOT, anchors, docs_script, links, pages
from tests.regress.report.chromium import Browser, installed


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"),
            *("-d", folder / "doctrees", ROOT / "docs", folder / "html"),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            assert parts.scheme == "https", link
            assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.netloc), link
            continue
        target = page.parent / unquote(parts.path) if parts.path else page
        assert target.exists(), f"{page.name} links to {link}"
        if parts.fragment:
            assert parts.fragment in anchors(target), f"{page.name} links to {link}"


class Found(HTMLParser):
    """Ids, links and sources of a built page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            elif name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("src", "srcset", "poster", "data") or (name == "href" and tag == "link"):
                self.sources.append(value or "")


@cache
def read(page: Path) -> Found:
    return Found(page.read_text(encoding="utf-8"))


def built_pages(site: Path) -> Iterator[Path]:
    found = sorted(site.rglob("*.html"))
    assert len(found) > 10
    yield from found


def test_the_built_pages_need_no_network(site: Path) -> None:
    for page in built_pages(site):
        for source in read(page).sources:
            assert not urlsplit(source).netloc, f"{page.name} loads {source}"
            assert source.startswith("data:") or (page.parent / urlsplit(source).path).exists()
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", text), style.name


def test_every_link_of_a_built_page_leads_somewhere(site: Path) -> None:
    for page in built_pages(site):
        for link in read(page).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert target.exists(), f"{page.name} links to {link}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in read(target).ids, f"{page.name} links to {link}"


def test_every_public_name_has_its_place(site: Path) -> None:
    ids = {name for page in (site / "api").glob("*.html") for name in read(page).ids}
    for module in ("layerbank", "extract", "features", "regress"):
        for name in import_module(module).__all__:
            homes = {f"{module}.{name}", f"layerbank.{name}", f"features.errors.{name}"}
            assert homes & ids, f"{module}.{name} stands on no page"


def test_every_drawing_is_what_its_script_draws() -> None:
    drawings = docs_script("drawings")
    for name, draw in drawings.DRAWINGS.items():
        kept = (drawings.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        assert draw().svg() == kept, "run `python docs/drawings.py`"


def test_the_first_page_of_the_reference_lists_every_name_of_layerbank() -> None:
    listed = {*re.findall(r"\w+", (ROOT / "docs/api/index.md").read_text(encoding="utf-8"))}
    assert {*import_module("layerbank").__all__} <= listed


def test_what_sweeps_and_blends_give_is_described(site: Path) -> None:
    ids = read(site / "api" / "regress.html").ids
    for module in ("regress.sweep", "regress.blend"):
        classes = [name for name in import_module(module).__all__ if re.match("[A-Z][a-z]", name)]
        assert len(classes) == 2
        assert {f"{module}.{name}" for name in classes} <= ids


@pytest.mark.parametrize("function", ["evaluate", "sweep"])
def test_every_parameter_of_scoring_is_described_by_itself(function: str) -> None:
    """`cv`, `folds` and `groups` are three things, and so are three paragraphs."""
    called = getattr(import_module("layerbank"), function)
    lines = (inspect.getdoc(called) or "").split("Raises\n")[0].splitlines()
    heads = [line for line in lines if re.fullmatch(r"\w[\w, ]*", line)]
    assert {name for head in heads for name in head.split(", ")} >= {
        *inspect.signature(called).parameters
    }
    assert {"cv", "folds", "groups"} <= {*heads}


def test_every_command_and_option_is_described(site: Path) -> None:
    text = (site / "cli.html").read_text(encoding="utf-8")
    commands = typer.main.get_command(layerbank.cli.app).commands  # type: ignore[attr-defined]
    assert {"extract", "regress", "predict"} <= {*commands}
    for name, command in commands.items():
        (part,) = re.findall(rf'<section id="{name}">(.*?)</section>', text, re.DOTALL)
        shown = {*re.findall(r"--[a-z-]+", re.sub(r"<[^>]+>", " ", part))}
        options = [o for parameter in command.params for o in parameter.opts if o[:2] == "--"]
        assert {*options} <= shown | {"--help"}, name
    plain = re.sub(r"<[^>]+>", "", text)
    assert not re.search(r"\[/?bold\]|\\\[", plain)


@pytest.mark.skipif(not installed(), reason="Chromium is not installed")
def test_a_browser_opens_the_pages_from_the_disk(site: Path, tmp_path: Path) -> None:
    with Browser(tmp_path) as browser:
        for width in (420, 1280):
            browser.resize(width)
            for name in (
                *("index", "install", "numbers", "faq", "comparison", "glossary", "cli", "format"),
                *("api/features", "guides/kaggle"),
            ):
                browser.open(site / f"{name}.html")
                wide = browser.run("return document.documentElement.scrollWidth")
                assert wide <= width, f"{name} is {wide} wide on a page of {width}"
        assert browser.run("return document.querySelectorAll('button.copybtn').length") > 3
        browser.open(site / "search.html")
        assert browser.log() == []
