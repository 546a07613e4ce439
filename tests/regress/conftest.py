"""A made-up task: a bank whose layers know something about a target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from features import Bank, text_keys
from tests.made_up import SETUP, SOURCE


@pytest.fixture(autouse=True, scope="session")
def one_blas_thread() -> Iterator[None]:
    """Small matrices on many threads are slow, and slower yet when tests run side by side."""
    with threadpool_limits(limits=1):
        yield


class Task(NamedTuple):
    bank: Bank
    texts: list[str]
    y: np.ndarray


def fill(bank: Bank, texts: list[str], hidden_states: np.ndarray) -> None:
    """Add texts with their blocks, shape (n_texts, n_blocks, hidden)."""
    n_tokens = np.full(len(texts), 7, np.int32)
    with bank.writer({"engine": "made up"}) as writer:
        writer.add(text_keys(texts), n_tokens, np.zeros(len(texts), bool), hidden_states)
    bank.refresh()


@pytest.fixture
def make_task(tmp_path: Path) -> Callable[..., Task]:
    """n texts whose blocks carry a linear signal, the later layers more; cls[0] is constant."""

    def make(n: int = 90, *, hidden: int = 6, seed: int = 0, name: str = "made-up.bank") -> Task:
        rng = np.random.default_rng(seed)
        setup: dict[str, Any] = {**SETUP, "hidden_size": hidden, "pooler": False}
        bank = Bank.create(tmp_path / name, setup, SOURCE)
        y = rng.standard_normal(n)
        states = rng.standard_normal((n, len(bank.blocks), hidden))
        for i, block in enumerate(bank.blocks):
            states[:, i] += 0.3 * (block.layer or 0) * y[:, None]
            if (block.pooling, block.layer) == ("cls", 0):
                states[:, i] = rng.standard_normal(hidden)
        texts = [f"text {i} of seed {seed}" for i in range(n)]
        fill(bank, texts, states.astype(np.float32))
        return Task(bank, texts, 10 + 3 * y)

    return make
