"""What the fault tests share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _without_warnings() -> Iterator[None]:
    """Thousands of faults would each be told."""
    logger = logging.getLogger("features")
    before = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(before)
