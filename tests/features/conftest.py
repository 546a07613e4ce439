"""Fixtures of the bank's tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from features import Bank, Text
from tests.made_up import SETUP, SOURCE, add


@pytest.fixture
def make_bank(tmp_path: Path) -> Callable[..., Bank]:
    def make(texts: Sequence[Text] = (), name: str = "made-up.bank", **changes: Any) -> Bank:
        bank = Bank.create(tmp_path / name, {**SETUP, **changes}, SOURCE)
        if texts:
            add(bank, texts)
        return bank

    return make


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: these failures are our own."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder)
