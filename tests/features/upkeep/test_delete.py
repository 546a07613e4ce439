"""Deleting texts: every trace of them goes from the bank's folder, and of nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from features import Bank, Text, text_keys
from features.disk.commit import rearranging
from features.disk.format import COMMITS_LOG, RETIRED
from features.disk.index import KeyIndex
from features.disk.pending import DELETING, deleting
from features.disk.rescue import rescue_bank
from features.errors import BankError, CommitError, CorruptSegment, InputError, MissingTexts
from features.upkeep import delete as deletion
from features.upkeep.compact import compact
from features.upkeep.delete import delete
from features.upkeep.verify import verify
from tests.features.disk.faults.rig import SMALL, Faults, Killed, check_rows, extract
from tests.features.upkeep.traces import assert_holds, forget, state, traces
from tests.made_up import add, values_of

TEXTS: list[Text] = [f"text {i}" for i in range(12)]


def test_nothing_of_a_text_is_left_and_all_of_the_others(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:4])
    add(bank, TEXTS[4:8])
    add(bank, TEXTS[8:])
    before = {segment.path.name for segment in bank.segments}
    gone = [TEXTS[1], *TEXTS[4:8]]  # one of a segment, all of another, none of the third
    assert traces(bank.path, gone)
    report = forget(bank, [*gone, *gone[:2], "never there"])
    assert (report.n_texts, report.n_found) == (6, 5)
    (deleted,) = report.banks
    assert (deleted.n_rows, deleted.n_segments, deleted.copies) == (5, 2, ())
    assert traces(bank.path, gone) == []
    assert_holds(bank.path, [TEXTS[0], *TEXTS[2:4], *TEXTS[8:]])
    first, last = Bank.open(bank.path).segments
    assert last.path.name in before
    assert first.path.name not in before
    assert first.path.name[:28] == min(before)[:28]  # the time stays
    assert first.provenance == {"engine": "made up"}
    assert sorted(os.listdir(bank.path)) == sorted(
        [".rearranging", "bank.json", COMMITS_LOG, first.path.name, last.path.name]
    )
    add(bank, TEXTS)  # whoever encodes them again has them again
    assert_holds(bank.path, TEXTS)


def test_the_last_text_leaves_an_empty_bank(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    assert forget(bank, TEXTS[:3]).n_found == 3
    assert Bank.open(bank.path).n_texts == 0
    assert verify(bank.path).findings == ()
    assert forget(bank, TEXTS[:3]).n_found == 0


def test_each_row_keeps_its_type_and_each_copy_of_a_row_goes(
    make_bank: Callable[..., Bank],
) -> None:
    bank = make_bank(precision="bf16")
    add(bank, TEXTS[:3])
    with bank.writer({}) as writer:  # in a float32 segment, and once more
        for text, scale in ((TEXTS[3], 1e6), (TEXTS[1], 1e6)):
            blocks = values_of(text, dict(bank.setup))[None] * np.float32(scale)
            writer.add(text_keys([text]), np.ones(1, np.int32), np.zeros(1, bool), blocks)
    bank.refresh()
    large = bank.matrix([TEXTS[3]], "*[:]+pooler")
    assert {str(s.dtype): s.n for s in bank.segments} == {"float16": 3, "float32": 2}
    report = forget(bank, [TEXTS[1]])
    assert (report.n_found, report.banks[0].n_rows) == (1, 2)
    assert {str(s.dtype): s.n for s in Bank.open(bank.path).segments} == {
        "float16": 2,
        "float32": 1,
    }
    np.testing.assert_array_equal(Bank.open(bank.path).matrix([TEXTS[3]], "*[:]+pooler"), large)
    assert traces(bank.path, [TEXTS[1]]) == []
    assert verify(bank.path).findings == ()


def test_a_pair_goes_by_its_two_columns_alone(make_bank: Callable[..., Bank]) -> None:
    pair = ("prompt", "essay")
    bank = make_bank([pair, "essay", "promptessay", ("prompt", "another")])
    forget(bank, [pair])
    assert_holds(bank.path, ["essay", "promptessay", ("prompt", "another")])


def test_a_dry_run_changes_nothing_and_says_the_same(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    add(bank, TEXTS[3:6])
    compact(bank.path)
    before = state(bank.path)
    told = forget(bank, TEXTS[:2], dry_run=True)
    assert state(bank.path) == before
    assert forget(bank, TEXTS[:2]) == told


def test_banks_that_were_rescued_beside_it_lose_them_too(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    rescued = Bank.open(rescue_bank(bank.path, bank.manifest))
    add(rescued, TEXTS[2:5])
    other = make_bank([TEXTS[2]], "made-up.rescued-2.bank", max_length=9)
    report = forget(bank, [TEXTS[2], TEXTS[3]])
    assert report.n_found == 2
    assert [(each.bank.name, each.n_rows) for each in report.banks] == [
        ("made-up.bank", 1),
        ("made-up.rescued.bank", 2),
    ]
    assert_holds(bank.path, TEXTS[:2])
    assert_holds(rescued.path, [TEXTS[4]])
    assert Bank.open(other.path).contains([TEXTS[2]]).all()  # of another set-up


def test_a_reader_that_was_there_before_goes_on(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:4])
    add(bank, TEXTS[4:8])
    early, late = Bank.open(bank.path), Bank.open(bank.path)
    mapped = early.matrix(TEXTS[:4], "mean[:]")
    forget(bank, [TEXTS[0], TEXTS[5]])
    np.testing.assert_array_equal(early.matrix(TEXTS[:4], "mean[:]"), mapped)
    for segment in late.segments:
        segment.forget()
    np.testing.assert_array_equal(late.matrix(TEXTS[1:4], "mean[:]"), mapped[1:])
    with pytest.raises(MissingTexts, match="lacks 2 of the texts"):
        late.matrix(TEXTS[:6], "mean[:]")


def test_what_a_writer_commits_meanwhile_goes_too(
    make_bank: Callable[..., Bank], monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = make_bank(TEXTS[:3])
    rewrite, late = deletion._rewrite, TEXTS[1:5]

    def rewrite_and_commit(*arguments: Any) -> None:
        rewrite(*arguments)
        if late:
            add(Bank.open(bank.path), late)
            late.clear()

    monkeypatch.setattr(deletion, "_rewrite", rewrite_and_commit)
    assert forget(bank, [TEXTS[1]]).banks[0].n_rows == 2
    assert traces(bank.path, [TEXTS[1]]) == []
    assert_holds(bank.path, [TEXTS[0], *TEXTS[2:5]])


def test_a_delete_that_failed_is_named_until_its_own_rows_are_given_again(
    make_bank: Callable[..., Bank], monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = make_bank(TEXTS[:3])
    add(bank, TEXTS[3:6])
    with monkeypatch.context() as patched:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patched.setattr("features.disk.commit.write_all", full)
        with pytest.raises(CommitError, match="make room or mend the disk and call again"):
            forget(bank, [TEXTS[0], TEXTS[3]])
    assert set(os.listdir(bank.path)) - {".rearranging"} == {
        DELETING, "bank.json", COMMITS_LOG, *(s.path.name for s in bank.segments),
    }  # fmt: skip
    (finding,) = verify(bank.path).findings
    assert str(finding) == (
        "unfinished: .deleting (a delete of 2 texts was interrupted: call `layerbank delete` again "
        "with the same --rows, or remove this file to keep what is left)"
    )
    assert verify(bank.path, repair=True).repaired == ()
    forget(bank, [TEXTS[1], TEXTS[3]])  # does what is said, and no more
    assert Bank.open(bank.path).contains(TEXTS[:6]).tolist() == [
        True,
        False,
        True,
        False,
        *[True] * 2,
    ]
    assert "a delete of 1 texts was interrupted" in str(verify(bank.path).findings[0])
    forget(bank, [TEXTS[0], TEXTS[3]])
    assert_holds(bank.path, [TEXTS[2], *TEXTS[4:6]])
    assert traces(bank.path, [TEXTS[0], TEXTS[1], TEXTS[3]]) == []


def test_killed_at_each_step_it_is_named_and_the_same_call_finishes(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.upkeep.findings._JUST_MADE", 0)
    texts = [str(text) for text in TEXTS[:6]]
    gone, kept = [texts[1], *texts[3:]], [texts[0], texts[2]]
    template = memory / "template.bank"
    extract(template, texts)  # one segment loses a row, the other all
    (template / RETIRED).mkdir()
    shutil.copy(max(template.glob("segment-*")), template / RETIRED)
    sizes = {segment.path.name: segment.n for segment in Bank.open(template).segments}
    KeyIndex.over(text_keys(texts)).save(template, sizes)
    before, n_named, at = state(template), 0, 0
    while True:
        at += 1
        path = memory / "work.bank"
        shutil.copytree(template, path)
        faults = Faults(at, "tear")
        with contextlib.suppress(Killed), faults:
            delete(path, text_keys(gone))
        check_rows(path, kept, texts)
        named = [each for each in verify(path).findings if each.kind == "unfinished"]
        now = state(path)
        changed = [name for name in before if now.get(name) != before[name]]
        if changed and traces(path, gone, SMALL):
            assert len(named) == 1, (at, faults.met, changed)
        n_named += len(named)
        delete(path, text_keys(gone))
        assert traces(path, gone, SMALL) == [], (at, faults.met)
        assert check_rows(path, kept, texts) == kept
        assert [each for each in verify(path).findings if each.name != COMMITS_LOG] == []
        shutil.rmtree(path)
        if faults.met is None:
            break
    assert n_named > 20


def test_a_delete_that_is_at_work_is_not_called_interrupted(
    make_bank: Callable[..., Bank],
) -> None:
    bank = make_bank(TEXTS[:3])
    with deleting(bank.path, text_keys(TEXTS[:1])):
        keys = text_keys(TEXTS[:1]).tobytes()
        said = xxhash.xxh3_128_intdigest(keys).to_bytes(16, "big") + keys
        assert (bank.path / DELETING).read_bytes() == said
        assert verify(bank.path).findings == ()
    assert not (bank.path / DELETING).exists()


@pytest.mark.parametrize("content", [b"", b"half a list", bytes(48)])
def test_a_damaged_list_is_told_and_replaced(
    content: bytes, make_bank: Callable[..., Bank], caplog: pytest.LogCaptureFixture
) -> None:
    bank = make_bank(TEXTS[:3])
    (bank.path / DELETING).write_bytes(content)
    assert verify(bank.path).findings[0].kind == "unfinished"
    assert "is damaged" in caplog.text
    forget(bank, TEXTS[:1])
    assert_holds(bank.path, TEXTS[1:3])


def test_it_refuses_in_one_sentence_and_changes_nothing(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    add(bank, TEXTS[3:6])
    before = state(bank.path)
    with pytest.raises(InputError, match="there is no text to delete"):
        forget(bank, [])
    with rearranging(bank.path):
        with pytest.raises(BankError, match="compacting, repairing or deleting.*call again"):
            forget(bank, TEXTS[:1])
    path = max(bank.path.glob("segment-*"))
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptSegment, match=rf"{path.name} .*run `layerbank verify"):
        forget(bank, [TEXTS[0], TEXTS[3]])
    path.write_bytes(before[path.name])
    assert state(bank.path) == before
    path.write_bytes(data)
    forget(bank, TEXTS[3:6])  # all of its rows: what is damaged in it is of no use to anybody
    assert_holds(bank.path, TEXTS[:3])
    with pytest.raises(BankError, match="is not a bank"):
        delete(bank.path.parent, text_keys(TEXTS[:1]))
