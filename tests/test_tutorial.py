"""The tutorial, run as a notebook in a kernel of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "examples" / "clear.py"


@pytest.fixture(scope="module")
def cells(
    minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[nbformat.NotebookNode]:
    """The executed cells."""
    notebook = jupytext.read(SCRIPT)
    folder = tmp_path_factory.mktemp("notebook")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(folder),
        "JUPYTER_CONFIG_DIR": str(folder),
        "TMPDIR": str(folder),
        "PYTHONWARNINGS": "default",
    }
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    return list(notebook.cells)


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
