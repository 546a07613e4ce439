"""The project's own papers agree with one another and with what is there."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from extract.libraries import LIBRARIES
from tests.pages import ROOT, pages

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
WORKFLOW = ROOT / ".github" / "workflows" / "tests.yml"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_changelog_is_dated_and_sorted() -> None:
    text = read("CHANGELOG.md")
    first, *days = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert first.startswith("Unreleased")
    assert days
    assert all(date.fromisoformat(later) > date.fromisoformat(day) for later, day in pairwise(days))
    kinds = {*re.findall(r"^### (.+)$", text, re.MULTILINE)}
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed"}
    # No line stands outside of a kind.
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        assert "- " not in section.split("### ")[0]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"]


def test_every_python_that_is_named_is_tested() -> None:
    named = re.findall(r"Python :: (3\.\d+)\b", " ".join(PROJECT["classifiers"]))
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    assert jobs["linux"]["strategy"]["matrix"]["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"
    systems = {job["runs-on"].split("-")[0] for job in jobs.values()}
    assert systems == {"ubuntu", "macos", "windows"}


def test_files_that_the_workflow_names_exist() -> None:
    named = re.findall(r"\b(?:tests|docs)/[\w./-]+", WORKFLOW.read_text(encoding="utf-8"))
    assert len(named) > 5
    for path in named:
        assert (ROOT / path).exists(), path


def test_templates_are_forms() -> None:
    forms = [*(ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")]
    assert len(forms) >= 3
    for form in forms:
        content = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert form.name == "config.yml" or {"name", "description", "body"} <= content.keys()


def test_the_version_of_every_dependency_is_one_that_is_allowed() -> None:
    lines = [line for line in read("constraints.txt").splitlines() if "==" in line]
    pinned = {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines}
    extras = [line for extra in EXTRAS.values() for line in extra]
    for requirement in map(Requirement, [*PROJECT["dependencies"], *extras]):
        if requirement.name != PROJECT["name"]:
            assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_extra_extract_holds_what_encoding_needs_and_nothing_else_does() -> None:
    names = {Requirement(line).name.replace("-", "_") for line in EXTRAS["extract"]}
    assert {*LIBRARIES} <= names
    assert not names & {
        Requirement(line).name.replace("-", "_") for line in PROJECT["dependencies"]
    }


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_install_line_names_extras_that_exist(page: Any) -> None:
    for named in re.findall(r"(?:layerbank|['/ ]\.)\[([\w,-]+)\]", page.read_text("utf-8")):
        assert {*named.split(",")} <= EXTRAS.keys(), named
