"""How much memory there is, a container's limit included, and pieces of work that fit into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import psutil

#: Values that are converted to float64 at a time (128 MiB).
CHUNK = 1 << 24

#: Where Linux shows control groups, which are how a container or a batch system limits memory.
ROOT = Path("/")


def available_memory() -> int:
    """Bytes that can be had without swapping."""
    free = [psutil.virtual_memory().available]
    free += [max(0, limit.size - limit.used) for limit in container_limits(ROOT)]
    return min(free)


def total_memory() -> int:
    """Bytes of memory that this process may have if nothing else runs."""
    return min([psutil.virtual_memory().total, *(limit.size for limit in container_limits(ROOT))])


class Limit(NamedTuple):
    """What a group of processes may have and has, bytes; cached files, which make room, not."""

    size: int
    used: int


class _Layout(NamedTuple):
    """How a version of control groups calls its files and the lines in ``memory.stat``."""

    folder: str
    size: str
    used: str
    cached: tuple[str, str]


_VERSION_1 = _Layout(
    "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
    ("total_active_file", "total_inactive_file"),
)  # fmt: skip
_VERSION_2 = _Layout(
    "sys/fs/cgroup", "memory.max", "memory.current", ("active_file", "inactive_file")
)


def container_limits(root: Path) -> Iterator[Limit]:
    """The limits of the control groups that this process is in; none on other systems.

    Parameters
    ----------
    root
        The folder in which ``proc`` and ``sys`` stand.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            layout = _VERSION_2
        elif "memory" in controllers.split(","):
            layout = _VERSION_1
        else:
            continue
        # Inside a container its own group is often the top one, whatever the path says.
        names = [name for name in PurePosixPath(path).parts if name not in ("/", "..")]
        for depth in range(len(names) + 1):
            limit = _limit(root.joinpath(layout.folder, *names[:depth]), layout)
            if limit is not None:
                yield limit


def _limit(folder: Path, layout: _Layout) -> Limit | None:
    """The limit of one group; None where there is none, or none to be read."""
    try:
        size = int((folder / layout.size).read_text())  # "max" is no number, and no limit
        used = int((folder / layout.used).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
        statistics = dict(line.split() for line in lines)
        cached = sum(int(statistics[name]) for name in layout.cached)
    except (OSError, ValueError, KeyError):
        return None
    return Limit(size, max(0, used - cached))


def as_fit(workers: int, job_bytes: int, limits: Sequence[int | None]) -> int:
    """So many workers, or as many as have memory for their jobs."""
    if not job_bytes or workers <= 1:
        return workers
    known = [limit for limit in limits if limit]
    return max(1, min(workers, (min(known) if known else available_memory()) // job_bytes))


def chunk_values(memory: int | None) -> int:
    """How many float64 values to convert at a time, of which some copies stand in memory."""
    return CHUNK if memory is None else min(CHUNK, max(1 << 12, memory // 64))


def row_chunks(n_rows: int, width: int, values: int = CHUNK) -> Iterator[slice]:
    """Slices of rows that hold at most so many values of `width` to a row."""
    step = max(1, values // max(width, 1))
    for start in range(0, n_rows, step):
        yield slice(start, start + step)
