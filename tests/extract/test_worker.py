"""Freed memory goes back to the system, and not too often."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from extract import worker
from extract.worker import Heap


def resident() -> int:
    """Pages of this process that stand in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(worker._malloc_trim() is None, reason="the C library has no malloc_trim")
def test_holes_in_the_heap_are_given_back() -> None:
    kept = [bytearray(65_536) for _ in range(2_000)]
    del kept[::2]  # what is left keeps the heap from shrinking
    before = resident()
    Heap(seconds=0).trim()
    assert before - resident() > 8_000, "pages of 4 KiB, of 16,000 that were freed"
    assert len(kept) == 1_000


def test_memory_is_given_back_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed: list[int] = []
    now = [100.0]
    monkeypatch.setattr(worker, "_malloc_trim", lambda: trimmed.append)
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: now[0]))
    heap = Heap()
    for now[0] in (100.0, 119.0, 121.0, 122.0, 140.0, 141.5):
        heap.trim()
    assert len(trimmed) == 2


def test_another_c_library_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ctypes", SimpleNamespace(CDLL=lambda name: object()))
    Heap(seconds=0).trim()
