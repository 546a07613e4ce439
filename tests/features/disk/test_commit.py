"""The commit: whole or not at all."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest

from features.disk.atomic import TEMPORARY, sweep
from features.disk.commit import commit
from features.disk.image import Dataset, Extent, Image, hdf5_image
from features.errors import CommitError

IMAGE = Image(
    10_000,
    [Extent(0, 4, [memoryview(b"head")]), Extent(8192, 4, [memoryview(b"ta"), memoryview(b"il")])],
)
BYTES = b"head" + bytes(8188) + b"tail" + bytes(1804)


def test_writes_extents_and_zeros(tmp_path: Path) -> None:
    path = commit(tmp_path, IMAGE, lambda sha: f"{sha[:4]}.h5")
    assert path.read_bytes() == BYTES
    assert os.listdir(tmp_path) == [path.name]


def test_the_same_content_is_the_same_bytes_at_any_time() -> None:
    def made() -> bytes:
        datasets = {"/mean/1": Dataset.of(np.arange(6.0)), "/key": Dataset.of(np.arange(2))}
        return b"".join(hdf5_image(datasets, {"n": 2}, user_block=4096).pieces())

    first = made()
    time.sleep(1.1)  # HDF5 would count seconds
    assert made() == first


def test_short_writes_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:700])))
    assert commit(tmp_path, IMAGE, lambda sha: "x").read_bytes() == BYTES


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "open"])
def test_a_failing_call_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(CommitError, match=r"No space left .*make room.*intact"):
        commit(tmp_path, IMAGE, lambda sha: "x")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []


def test_sweep_takes_the_dead_and_spares_the_living(tmp_path: Path) -> None:
    (tmp_path / f"{TEMPORARY}dead").write_bytes(b"half")

    def name(_: str) -> str:
        sweep(tmp_path)  # in the middle of a commit, from "another process"
        return "x"

    commit(tmp_path, IMAGE, name)
    assert os.listdir(tmp_path) == ["x"]
