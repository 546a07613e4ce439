"""compact, verify, merge and the files a process may hold open."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features import Bank
from features.disk import snapshot
from features.disk.format import RETIRED
from features.disk.index import INDEX
from features.errors import CommitError, FingerprintMismatch, InputError
from features.upkeep import compact
from features.upkeep.merge import merge
from features.upkeep.verify import verify
from tests.made_up import SETUP, SOURCE, add, values_of
from tests.pages import ROOT

#: Files that a process may have open, its streams and libraries included.
FEW_DESCRIPTORS = 64
TEXTS = [f"text {i}" for i in range(60)]


def assert_holds(bank: Bank, texts: list[str]) -> None:
    bank = Bank.open(bank.path)
    assert bank.n_texts == len(texts)
    np.testing.assert_array_equal(
        bank.matrix(texts, "*[:]+pooler"), [values_of(text).ravel() for text in texts]
    )


def test_compact_merges_and_drops_duplicates(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank()
    for start in range(0, 60, 10):
        add(bank, TEXTS[max(0, start - 5) : start + 10])
    names = {segment.path.name for segment in bank.segments}
    report = compact.compact(bank.path)
    assert (report.n_before, report.n_after, report.n_dropped) == (6, 1, 25)
    assert {*os.listdir(bank.path / RETIRED)} == names
    assert_holds(bank, TEXTS)
    (segment,) = Bank.open(bank.path).segments
    assert segment.path.name[:28] == min(names)[:28]  # takes the earliest one's time
    assert segment.provenance == {"compacted": [{"engine": "made up"}]}
    assert verify(bank.path).findings == ()
    assert compact.compact(bank.path).n_after == 1
    add(bank, ["one more"])
    compact.compact(bank.path)
    (segment,) = Bank.open(bank.path).segments
    assert segment.provenance == {"compacted": [{"engine": "made up"}]}  # and does not nest


def test_compact_keeps_dtypes_apart_and_large_segments_as_they_are(
    make_bank: Callable[..., Bank],
) -> None:
    bank = make_bank(precision="bf16")
    for text in TEXTS[:6]:
        add(bank, [text])
        blocks = values_of(text + " large")[None] * 1e6
        with bank.writer({}) as writer:
            key = np.frombuffer(os.urandom(32), np.uint8)[None]
            writer.add(key, np.ones(1, np.int32), np.zeros(1, bool), blocks)
    assert compact.compact(bank.path).n_after == 2
    assert {str(s.dtype): s.n for s in Bank.open(bank.path).segments} == {
        "float16": 6,
        "float32": 6,
    }
    before = {segment.path.name for segment in Bank.open(bank.path).segments}
    add(bank, TEXTS[6:8])
    compact.compact(bank.path, segment_bytes=1)
    assert before <= {segment.path.name for segment in Bank.open(bank.path).segments}


def test_compact_counts_numbers_and_not_the_room_around_them(
    make_bank: Callable[..., Bank],
) -> None:
    bank = make_bank()
    for text in TEXTS[:12]:
        add(bank, [text])
    file = bank.segments[0]
    assert file.size > 10 * file.n_data_bytes  # header and alignment
    report = compact.compact(bank.path, segment_bytes=6 * file.n_data_bytes)
    assert (report.n_before, report.n_after) == (12, 2)
    assert compact.compact(bank.path, segment_bytes=6 * file.n_data_bytes).n_after == 2
    assert_holds(bank, TEXTS[:12])


def test_what_was_retired_goes_after_a_day(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    add(bank, TEXTS[3:6])
    compact.compact(bank.path)
    retired = [*(bank.path / RETIRED).iterdir()]
    assert len(retired) == 2
    os.utime(retired[0], (0, 0))
    compact.compact(bank.path)
    assert [*(bank.path / RETIRED).iterdir()] == [retired[1]]
    assert verify(bank.path).findings == ()


def test_merge_adds_what_lacks_and_copies_whole_segments(make_bank: Callable[..., Bank]) -> None:
    one, two = make_bank(TEXTS[:20], "one.bank"), make_bank(TEXTS[10:40], "two.bank")
    into = one.path.parent / "into.bank"
    assert merge([one.path, two.path], into) == 40
    assert_holds(Bank.open(into), TEXTS[:40])
    assert sum(segment.n for segment in Bank.open(into).segments) == 40
    assert next(one.path.glob("segment-*")).name in os.listdir(into)  # the very same file
    assert merge([one.path, two.path], into) == 0
    assert verify(into).findings == ()
    assert_holds(two, TEXTS[10:40])


def test_merge_refuses_others_and_itself(make_bank: Callable[..., Bank]) -> None:
    one, other = make_bank(TEXTS[:2]), make_bank(TEXTS[:2], "other.bank", max_length=9)
    into = one.path.parent / "into.bank"
    with pytest.raises(FingerprintMismatch, match="max_length"):
        merge([one.path, other.path], into)
    assert not into.exists()
    with pytest.raises(InputError, match="both a bank to take from"):
        merge([one.path], one.path.parent / "." / one.path.name)
    with pytest.raises(InputError, match="at least one"):
        merge([], into)


def many_segments(folder: str) -> None:
    """A bank of more segments than this process may have files open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, hard))
    bank = Bank.create(folder, SETUP, SOURCE)
    texts = [f"text {i}" for i in range(3 * FEW_DESCRIPTORS)]
    row = len(bank.blocks) * 4 * 4
    add(bank, texts, segment_bytes=row)
    assert len(bank.segments) == len(texts)
    assert_holds(bank, texts)
    assert verify(bank.path).findings == ()
    assert compact.compact(bank.path).n_after == 1
    assert_holds(bank, texts)


def test_more_segments_than_descriptors(tmp_path: Path) -> None:
    """In a process of its own: other tests' open files are none of the bank's."""
    program = f"from {__name__} import many_segments; many_segments({str(tmp_path / 'a.bank')!r})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_kept_index_serves_and_grows(
    make_bank: Callable[..., Bank], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "KEEP_SEGMENTS", 3)
    bank = make_bank()
    for text in TEXTS[:10]:
        add(bank, [text])
    assert (bank.path / INDEX).exists()
    opened = Bank.open(bank.path)
    assert len(opened._snapshots[0]._opened) <= 3  # the others were not looked at
    assert_holds(bank, TEXTS[:10])
    assert verify(bank.path).findings == ()


def test_a_failed_commit_keeps_its_rows(
    make_bank: Callable[..., Bank], monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = make_bank()
    blocks = np.stack([values_of(text) for text in TEXTS])
    from features import text_keys

    row = len(bank.blocks) * 4 * 4
    writer = bank.writer({}, segment_bytes=7 * row)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with writer:
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(CommitError):
                writer.add(text_keys(TEXTS), np.ones(60, np.int32), np.zeros(60, bool), blocks)
            blocks_given, blocks = blocks, blocks.copy()
            blocks_given[:] = np.nan  # the caller's buffer is used again
            with pytest.raises(CommitError):
                writer.flush()
        assert writer.n_committed == 0
    assert writer.n_committed == 60
    assert_holds(bank, TEXTS)


def test_a_commit_called_again_after_its_last_step_failed(
    make_bank: Callable[..., Bank], monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = make_bank()
    calls = []

    def fail_once(folder: Path) -> None:
        calls.append(folder)
        if len(calls) == 1:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("features.disk.commit.sync_folder", fail_once)
    with bank.writer({}) as writer:
        from features import text_keys

        writer.add(
            text_keys(["one"]), np.ones(1, np.int32), np.zeros(1, bool), values_of("one")[None]
        )
        with pytest.raises(CommitError, match="Input/output error"):
            writer.flush()
    assert len([*bank.path.glob("segment-*")]) == 1  # the same content, once


def test_a_bank_in_a_read_only_folder_is_opened_not_made(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    before = {path: path.stat().st_mtime_ns for path in [bank.path, *bank.path.iterdir()]}
    assert Bank.create(bank.path, SETUP, SOURCE).n_texts == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_log_tells_what_is_missing(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    (path,) = bank.path.glob("segment-*")
    shutil.move(path, bank.path.parent)
    assert [str(finding) for finding in verify(bank.path, repair=True).findings] == [
        f"missing: {path.name} (3 rows; listed in commits.log)"
    ]
    assert verify(bank.path).findings == ()  # noted as lost
    add(bank, TEXTS[:3])
    assert_holds(bank, TEXTS[:3])
