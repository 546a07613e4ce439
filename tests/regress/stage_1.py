"""A stage 1 for tests of stage 2: it has the vectors already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features import Bank, Text, text_keys
from tests.regress.conftest import MadeUpTask


class Moves:
    """Has all vectors of a task, and adds those that are asked for to any bank."""

    def __init__(self, task: MadeUpTask) -> None:
        self.bank = task.bank
        self.asked: list[Text] = []

    def __call__(self, texts: Sequence[Text], into: Path, recorded: Mapping[str, Any]) -> None:
        self.asked += texts
        bank = Bank.create(into, self.bank.setup, self.bank.source)
        names = [f"{block.pooling}[{block.layer}]" for block in bank.blocks]
        blocks = np.stack([self.bank.matrix(list(texts), name) for name in names], axis=1)
        n = len(texts)
        with bank.writer({}) as writer:
            writer.add(text_keys(list(texts)), np.full(n, 7, np.int32), np.zeros(n, bool), blocks)

    def tried(self, texts: Sequence[Text], into: Path) -> str:
        """What a dry run says."""
        return f"{len(texts)} texts for {into.name}"
