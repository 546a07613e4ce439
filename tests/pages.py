"""What a Markdown page holds: code blocks, headings, links, and the anchors that links reach."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
#: Languages of the blocks that a reader types into a shell.
SHELL = ("bash", "sh")

_FENCE = re.compile(
    r"^(?P<fence>```+|:::+)(?P<language>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.M | re.S
)
_HEADING = re.compile(r"^#+ +(.+?) *$", re.M)
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")
_LABEL = re.compile(r"^\(([\w-]+)\)=$", re.M)


class CodeBlock(NamedTuple):
    """A fenced block: the heading it stands under, its language and its text."""

    heading: str
    language: str
    text: str


def pages() -> list[Path]:
    """The pages beside the README, and every page of the documentation that is written by hand."""
    beside = ("README", "CHANGELOG", "CODE_OF_CONDUCT", "CONTRIBUTING", "SECURITY")
    return [*(ROOT / f"{name}.md" for name in beside), *sorted((ROOT / "docs").rglob("*.md"))]


def docs_script(name: str) -> ModuleType:
    """A program of ``docs/``, loaded as a module."""
    spec = spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_blocks(page: Path, *languages: str) -> list[CodeBlock]:
    """The fenced blocks of a page in these languages, in order."""
    text = page.read_text(encoding="utf-8")
    headings = [(match.start(), match[1]) for match in _HEADING.finditer(_without_code(text))]
    return [
        CodeBlock(
            next((title for start, title in reversed(headings) if start < match.start()), ""),
            match["language"].strip(),
            match["body"],
        )
        for match in _FENCE.finditer(text)
        if match["language"].strip() in languages
    ]


def links(page: Path) -> list[str]:
    """The targets of a page's links and images."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", _without_code(page.read_text(encoding="utf-8"))))


def anchors(page: Path) -> set[str]:
    """What a ``#…`` behind a link to a page may name: its headings, as GitHub writes them."""
    text = _without_code(page.read_text(encoding="utf-8"))
    return {anchor_of(title) for title in _HEADING.findall(text)} | {*_LABEL.findall(text)}


def anchor_of(title: str) -> str:
    """The anchor of a heading.

    >>> anchor_of("`bank.json`, and what it says")
    'bankjson-and-what-it-says'
    """
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def _without_code(text: str) -> str:
    """The same text with fenced blocks blanked out, everything else at its place."""
    return _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
