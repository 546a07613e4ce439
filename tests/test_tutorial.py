"""The tutorial, run as a notebook in a kernel of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.pages import ROOT, docs_script

tutorial = docs_script("tutorial")


@pytest.fixture(scope="module")
def cells(
    minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[nbformat.NotebookNode]:
    """The executed cells."""
    executed: list[nbformat.NotebookNode] = tutorial.execute(tmp_path_factory.mktemp("notebook"))
    return executed


def outputs(cells: list[nbformat.NotebookNode]) -> list[Any]:
    return [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]


def test_objects_show_themselves(cells: list[nbformat.NotebookNode]) -> None:
    shown = {
        cell.source.splitlines()[-1]: output.data.get("text/html", "")
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    }
    for name, fact in (
        ("report", "180 texts"), ("bank", "fingerprint"), ("experiment", "training mean"),
        ("swept", "auto ("), ("run", "report"), ("explained", "similarity"), ("both", "ridge"),
    ):  # fmt: skip
        assert "<table" in shown[name], name
        if name != "run":
            assert fact in shown[name]
    assert "RMSE by layer and pooling" in shown["experiment"]
    assert "RMSE by layer and pooling" in shown["swept"]


def test_a_piece_of_work_leaves_one_line_and_nothing_warns(
    cells: list[nbformat.NotebookNode],
) -> None:
    lines = [
        output.data["text/plain"]
        for output in outputs(cells)
        if output.output_type == "display_data"
    ]
    assert any(line.startswith("extract, ") and "texts/s" in line for line in lines)
    assert all(line.count("\n") == 0 and "%|" not in line for line in lines)
    for cell in cells:
        if cell.cell_type == "code":
            kinds = [output.output_type for output in cell.outputs]
            assert kinds.count("display_data") <= cell.source.count("progress=True")
    streams = [output for output in outputs(cells) if output.output_type == "stream"]
    assert [stream.text for stream in streams if stream.name == "stderr"] == []


def test_it_tells_a_story(cells: list[nbformat.NotebookNode]) -> None:
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    titles = [source for source in prose if source.startswith("#")]
    assert len(titles) >= 6
    assert len(prose) >= 8
    assert len([cell for cell in cells if cell.cell_type == "code"]) >= 10


def words(shown: dict[str, Any]) -> set[str]:
    """What a cell shows in words, without numbers and markup."""
    visible = re.sub(r"<style.*?</style>|<[^>]*>", " ", " ".join([*shown["html"], *shown["text"]]))
    return {*re.findall(r"[^\W\d_]{2,}", visible)}


def test_the_page_shows_what_the_cells_show(cells: list[nbformat.NotebookNode]) -> None:
    """Else run ``python docs/tutorial.py``. Numbers may differ between processors."""
    now, kept = tutorial.record(cells), tutorial.read_outputs()
    assert [shown["code"] for shown in now] == [shown["code"] for shown in kept]
    for new, old in zip(now, kept, strict=True):
        assert new["pictures"] == old["pictures"]
        assert all((ROOT / "docs" / "_static" / name).is_file() for name in old["pictures"])
        common, either = words(new) & words(old), words(new) | words(old)
        assert len(common) >= 0.8 * len(either), sorted(either - common)
    assert sum(bool(old["html"] or old["text"] or old["pictures"]) for old in kept) >= 10


def test_the_page_names_no_place_of_a_machine() -> None:
    text = tutorial.OUTPUTS.read_text(encoding="utf-8")
    assert not re.search(r"/(tmp|home|root|usr|work|private|Users|site-packages)/", text)
