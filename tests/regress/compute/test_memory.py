"""Memory: the machine's, and less where a container has less; read from made-up cgroup files."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from regress.compute import memory
from regress.compute.memory import Limit, as_fit, available_memory, container_limits, total_memory

GIB = 1 << 30


def write(root: Path, files: dict[str, object]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def group(folder: str, size: object, used: int, active: int, inactive: int) -> dict[str, object]:
    """A group of version 2 as the kernel shows it."""
    return {
        f"{folder}/memory.max": size,
        f"{folder}/memory.current": used,
        f"{folder}/memory.stat": f"anon {used - active - inactive}\nfile {active + inactive}\n"
        f"inactive_anon 4096\nactive_file {active}\ninactive_file {inactive}",
    }


def test_version_2_inside_a_container(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/"})
    write(tmp_path, group("sys/fs/cgroup", 4 * GIB, 3 * GIB, GIB, GIB // 2))
    assert [*container_limits(tmp_path)] == [Limit(4 * GIB, 3 * GIB // 2)]


def test_version_2_every_group_above_counts(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/user.slice/job_7/step_0"})
    top = "sys/fs/cgroup"
    write(tmp_path, group(f"{top}/user.slice", "max", 9 * GIB, 0, 0))
    write(tmp_path, group(f"{top}/user.slice/job_7", 2 * GIB, GIB, 0, 0))
    write(tmp_path, group(f"{top}/user.slice/job_7/step_0", 3 * GIB, GIB // 2, 0, 0))
    assert [*container_limits(tmp_path)] == [Limit(2 * GIB, GIB), Limit(3 * GIB, GIB // 2)]


def test_version_1_beside_version_2(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/docker/abc\n3:cpuset:/\n0::/",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": 2**63 - 4096,
            "sys/fs/cgroup/memory/memory.usage_in_bytes": 5 * GIB,
            "sys/fs/cgroup/memory/memory.stat": "total_active_file 0\ntotal_inactive_file 0",
            "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": GIB,
            "sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes": GIB // 2,
            "sys/fs/cgroup/memory/docker/abc/memory.stat": "cache 5\nactive_file 1\n"
            f"inactive_file 1\ntotal_active_file {GIB // 8}\ntotal_inactive_file {GIB // 8}",
        },
    )
    limits = [*container_limits(tmp_path)]
    assert limits == [Limit(2**63 - 4096, 5 * GIB), Limit(GIB, GIB // 4)]


def test_a_path_that_is_the_hosts(tmp_path: Path) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/../../kubepods/pod1"})
    write(tmp_path, group("sys/fs/cgroup", GIB, 0, 0, 0))
    assert [*container_limits(tmp_path)] == [Limit(GIB, 0)]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "many"},
        {"proc/self/cgroup": "0::/", **group("sys/fs/cgroup", "max", 5, 0, 0)},
    ],
)
def test_no_limit(tmp_path: Path, files: dict[str, object]) -> None:
    write(tmp_path, files)
    assert [*container_limits(tmp_path)] == []


def test_the_lowest_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "ROOT", tmp_path)
    assert total_memory() == psutil.virtual_memory().total
    assert 0 < available_memory() < total_memory()
    write(tmp_path, {"proc/self/cgroup": "0::/job"})
    write(tmp_path, group("sys/fs/cgroup", 64 << 20, 60 << 20, 8 << 20, 8 << 20))
    write(tmp_path, group("sys/fs/cgroup/job", 32 << 20, 30 << 20, 0, 20 << 20))
    assert total_memory() == 32 << 20
    assert available_memory() == 20 << 20
    assert as_fit(8, 6 << 20, [None]) == 3
    write(tmp_path, {"sys/fs/cgroup/job/memory.current": 90 << 20})  # limits can be lowered
    assert available_memory() == 0
    assert as_fit(8, 6 << 20, [None]) == 1
