"""Written reports as tests read them, and an experiment that tries to break out of its own."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from features import Bank
from regress import Experiment, evaluate
from tests.made_up import SETUP, SOURCE
from tests.regress.conftest import fill

BLOCKS = [f"{pooling}[{layer}]" for pooling in ("cls", "mean", "max") for layer in range(3)]
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \u2028 '\"`{{ 7*7 }}"


class Page(HTMLParser):
    """Tags with their attributes, visible text, and what stands in script elements."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.scripts = "", []
        self._script = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = tag == "script"
        if self._script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[-1] += data
        else:
            self.text += data

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.scripts[0])


def evil_experiment(tmp_path: Path) -> Experiment:
    """Texts, ids, groups and names that try to break out of the page."""
    rng = np.random.default_rng(0)
    setup: dict[str, Any] = {**SETUP, "hidden_size": 4, "pooler": False}
    bank = Bank.create(tmp_path / "evil.bank", setup, {**SOURCE, "encoder": EVIL})
    texts = [f"{EVIL} {i}" for i in range(40)]
    states = rng.standard_normal((40, len(bank.blocks), 4)).astype(np.float32)
    fill(bank, texts, states)
    y = states[:, -1].sum(axis=1) + rng.standard_normal(40)
    return evaluate(
        bank,
        texts,
        y,
        select=["max[-1]", "mean[-1]"],
        groups=[f"{EVIL} {i % 3}" for i in range(40)],
        ids=[f"{EVIL}{i}" for i in range(40)],
        id_name=f"{EVIL} id",
        target_names=[EVIL],
    )
