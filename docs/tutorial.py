"""The tutorial's page, out of the notebook in percent format that the tests run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

NOTEBOOK = Path(__file__).parent.parent / "examples" / "clear.py"


def as_markdown(notebook: str) -> str:
    """Cells of a notebook in percent format, its text as text and its code as code."""
    cells = re.split(r"^# %%(.*)\n", notebook, flags=re.MULTILINE)[1:]
    told = []
    for kind, cell in zip(cells[::2], cells[1::2], strict=True):
        if "[markdown]" in kind:
            told.append(re.sub(r"^# ?", "", cell, flags=re.MULTILINE).strip())
        else:
            code = re.sub(r"^# ruff:.*\n", "", cell, flags=re.MULTILINE)
            told.append(f"```python\n{code.strip()}\n```")
    return "\n\n".join(told)


def fill_in(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write the notebook into the page that has a place for it."""
    if docname == "tutorial":
        notebook = as_markdown(NOTEBOOK.read_text(encoding="utf-8"))
        source[0] = source[0].replace("<!-- notebook -->", notebook)


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("source-read", fill_in)
    app.connect("env-get-outdated", lambda *_: ["tutorial"])
    return {"parallel_read_safe": True}
