"""What a sweep kept and a bad day has touched is computed anew, and changes no number."""

from __future__ import annotations

import io
import logging
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import xxhash

from features.errors import CommitError, RunError
from regress.sweep import Sweep, sweep
from regress.sweep.candidates import Candidate, single_blocks
from regress.sweep.parts import MARK, SUFFIX, Parts
from tests.regress.conftest import MadeUpTask
from tests.regress.sweep.bench import Bench

MakeTask = Callable[..., MadeUpTask]
pytestmark = pytest.mark.usefixtures("without_reports")


def swept(task: MadeUpTask, cache: Path) -> Sweep:
    return sweep(task.bank, task.texts, task.y, models="ridge", cache=cache)


def sealed(array: object) -> bytes:
    """A file with a right checksum, whatever it holds."""
    content = io.BytesIO()
    np.save(content, np.asarray(array))
    return MARK + xxhash.xxh3_128_digest(content.getvalue()) + content.getvalue()


def anything(array: object) -> bool:
    return True


def flipped(content: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(8 * len(content))
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path / "parts")


def test_a_part_is_read_as_it_was_written(parts: Parts) -> None:
    path = parts.folder / f"a{SUFFIX}"
    assert parts.read(path, anything) is None
    arrays = [np.arange(6.0).reshape(1, 2, 3), np.array([3, 1, 2]), np.zeros((0, 2))]
    for array in arrays:
        parts.write(path, array)
        found = parts.read(path, anything)
        assert found is not None
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_what_a_killed_sweep_left_is_removed_after_a_day(parts: Parts) -> None:
    old, new = (parts.folder / f".a{SUFFIX}-{mark}" for mark in ("0" * 16, "1" * 16))
    for path in (old, new):
        path.write_bytes(b"half")
    a_day_ago = time.time() - 90_000
    os.utime(old, (a_day_ago, a_day_ago))
    Parts(parts.folder)
    assert [*parts.folder.iterdir()] == [new]


def test_a_part_with_any_byte_changed_is_not_read(parts: Parts) -> None:
    path, chance = parts.folder / f"a{SUFFIX}", random.Random(0)
    parts.write(path, np.random.default_rng(0).normal(size=(5, 3, 2)))
    content = path.read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        assert parts.read(path, anything) is None
        path.write_bytes(content[:place])
        assert parts.read(path, anything) is None
    path.write_bytes(content)
    assert parts.read(path, anything) is not None


def test_no_code_and_no_pipe_in_place_of_a_part(parts: Parts) -> None:
    path = parts.folder / f"a{SUFFIX}"
    path.write_bytes(sealed(np.array([{"an": "object"}], dtype=object)))
    assert parts.read(path, anything) is None
    path.unlink()
    os.mkfifo(path)
    assert parts.read(path, anything) is None
    path.unlink()
    path.mkdir()
    assert parts.read(path, anything) is None


def test_damage_is_said_once_and_changes_no_number(
    make_task: MakeTask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task, cache, chance = make_task(40), tmp_path / "parts", random.Random(1)
    first = swept(task, cache)
    files = sorted(cache.iterdir())
    others = [sealed(np.zeros(3)), sealed(np.full((8, 1, 1), 9)), sealed([-1, 10**6]), b"\x93NUMPY"]
    for number, file in enumerate(files):
        content = file.read_bytes()
        file.write_bytes(others[number % 8] if number % 8 < 4 else flipped(content, chance))
    with caplog.at_level(logging.WARNING):
        again = swept(task, cache)
    assert [record.message for record in caplog.records] == [
        f"some of what {cache} keeps is damaged: it is computed anew"
    ]
    assert sorted(cache.iterdir()) == files
    for one, other in zip(first.leaderboard_rows(), again.leaderboard_rows(), strict=True):
        assert one["select"] == other["select"]
        assert one["rmse"] == pytest.approx(other["rmse"], rel=1e-9)


def test_damage_while_the_sweep_runs_is_said(task: MadeUpTask, tmp_path: Path) -> None:
    bench = Bench(task, tmp_path / "parts")
    candidate = Candidate("ridge", single_blocks(bench.banks)[0])
    bench.fit(candidate)
    for part in (tmp_path / "parts").iterdir():
        part.write_bytes(flipped(part.read_bytes(), random.Random(2)))
    with pytest.raises(RunError, match="call again, and only what it held is computed anew"):
        bench.store.predictions(candidate, (0,))


def test_parts_are_synced_before_they_count(
    task: MadeUpTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    real = os.fsync

    def sync(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    bench = Bench(task, tmp_path / "parts")
    bench.fit(*(Candidate("ridge", selection) for selection in single_blocks(bench.banks)))
    assert {path.stat().st_ino for path in (tmp_path / "parts").iterdir()} <= synced
    assert (tmp_path / "parts").stat().st_ino in synced


@pytest.fixture
def no_room() -> Iterator[None]:
    """Files can hold a few bytes only, as where a disk is full."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, former[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, former)
    signal.signal(signal.SIGXFSZ, ignored)


def test_where_there_is_no_room_the_file_is_named_and_nothing_is_left(
    parts: Parts, no_room: None
) -> None:
    path = parts.folder / f"a{SUFFIX}"
    with pytest.raises(CommitError, match=f"could not write {path} .*: make room"):
        parts.write(path, np.zeros((50, 3, 2)))
    assert os.listdir(parts.folder) == []
