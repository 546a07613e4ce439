"""A real disk, small and filled to the brim."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from features import Bank, text_keys
from features.errors import CommitError
from features.export import export
from features.upkeep.compact import compact
from features.upkeep.delete import delete
from features.upkeep.verify import verify
from tests.features.disk.faults.rig import Acknowledged, check_rows, extract


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_extraction_on_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    bank, texts = small_disk / "a.bank", [f"text {i}" for i in range(200)]
    acknowledged = Acknowledged(tmp_path / "acknowledged")
    with pytest.raises(CommitError, match=r"No space left on device.*call again") as caught:
        extract(bank, texts, acknowledge=acknowledged)
    assert "\n" not in str(caught.value)
    told = [text for some in acknowledged.batches() for text in some]
    assert len(told) > 10
    assert set(check_rows(bank, told, texts)) >= set(told)
    assert verify(bank).findings == ()
    with pytest.raises(CommitError):
        extract(bank, texts)  # still full
    assert verify(bank).findings == ()
    # Once there is room, the same call completes.
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    n_before = Bank.open(bank).n_texts
    assert extract(bank, texts) == len(texts) - n_before
    assert set(check_rows(bank, texts, texts)) == set(texts)
    assert verify(bank).findings == ()


def test_extraction_on_a_disk_that_becomes_read_only(small_disk: Path, tmp_path: Path) -> None:
    bank, texts = small_disk / "a.bank", [f"text {i}" for i in range(40)]
    acknowledged = Acknowledged(tmp_path / "acknowledged")
    extract(bank, texts[:20], acknowledge=acknowledged)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    keys = text_keys(texts[:3])
    delete(bank, keys, dry_run=True)
    for act in (
        lambda: extract(bank, texts),
        lambda: compact(bank),
        lambda: delete(bank, keys),
    ):
        with pytest.raises(CommitError, match=r"Read-only file system.*make it writable") as caught:
            act()
        assert "\n" not in str(caught.value)
    assert set(check_rows(bank, texts[:20], texts)) == set(texts[:20])
    assert verify(bank).findings == ()
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert extract(bank, texts) == 20
    assert set(check_rows(bank, texts, texts)) == set(texts)
    assert verify(bank).findings == ()


def test_delete_on_a_full_disk(small_disk: Path) -> None:
    bank, texts = small_disk / "a.bank", [f"text {i}" for i in range(12)]
    extract(bank, texts, batch=4)
    gone, kept = [texts[0], *texts[4:8]], [*texts[1:4], *texts[8:]]
    with open(small_disk / "ballast", "wb", buffering=0) as ballast:
        with contextlib.suppress(OSError):
            while ballast.write(bytes(4096)):
                pass
    for free in (0, 4096, 8192, 16384):
        os.truncate(small_disk / "ballast", (small_disk / "ballast").stat().st_size - free)
        with pytest.raises(CommitError, match=r"\A[^\n]*No space left on device[^\n]*call again"):
            delete(bank, text_keys(gone))
        assert set(check_rows(bank, kept, texts)) >= set(kept)
        assert {finding.kind for finding in verify(bank).findings} <= {"unfinished"}
    (small_disk / "ballast").unlink()
    assert delete(bank, text_keys(gone)).n_found
    assert check_rows(bank, kept, texts) == kept
    assert verify(bank).findings == ()


@pytest.mark.parametrize("ending", ["h5", "npy", "parquet", "csv"])
def test_export_to_a_full_disk(small_disk: Path, tmp_path: Path, ending: str) -> None:
    texts = [f"text {i}" for i in range(20_000)]
    extract(tmp_path / "a.bank", texts, batch=20_000)
    (small_disk / f"out.{ending}").write_bytes(b"the one before")
    (small_disk / "ballast").write_bytes(bytes(900 << 10))
    bank = Bank.open(tmp_path / "a.bank")
    with pytest.raises(CommitError, match="No space left"):
        export(bank, texts, "mean[:]", small_disk / f"out.{ending}", force=True)
    assert (small_disk / f"out.{ending}").read_bytes() == b"the one before"
    assert sorted(os.listdir(small_disk)) == ["ballast", f"out.{ending}"]
    assert np.isfinite(bank.matrix(texts[:3], "mean[0]")).all()
