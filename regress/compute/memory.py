"""What a regressor has to offer, and what fitting it leaves behind."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence


def available_memory() -> int:
    """Bytes that can be had without swapping; half of all memory where nobody says."""
    try:
        with open("/proc/meminfo", encoding="ascii") as meminfo:
            fields = dict(line.split(":") for line in meminfo)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return total_memory() // 2


def total_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def as_fit(workers: int, job_bytes: int, limits: Sequence[int | None]) -> int:
    """So many workers, or as many as have memory for their jobs."""
    if not job_bytes or workers <= 1:
        return workers
    known = [limit for limit in limits if limit]
    return max(1, min(workers, (min(known) if known else available_memory()) // job_bytes))


#: Values that are converted to float64 at a time (128 MiB).
CHUNK = 1 << 24


def chunk_values(memory: int | None) -> int:
    """How many float64 values to convert at a time, of which some copies stand in memory."""
    return CHUNK if memory is None else min(CHUNK, max(1 << 12, memory // 64))


def row_chunks(n_rows: int, width: int, values: int = 1 << 24) -> Iterator[slice]:
    """Slices of rows that hold at most so many values of `width` to a row."""
    step = max(1, values // max(width, 1))
    for start in range(0, n_rows, step):
        yield slice(start, start + step)
