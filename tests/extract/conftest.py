"""Fixtures of stage 1's tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def encoder(tiny_roberta: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(tiny_roberta, tmp_path / "encoder"))


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    return tmp_path / "a.bank"
