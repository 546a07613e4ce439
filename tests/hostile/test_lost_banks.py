"""A bank that is removed, moved or replaced under its writer: no row is lost, none goes astray."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from extract.background import BackgroundWriter
from features import Bank, text_keys
from features.disk import rescue
from features.disk.writer import BankWriter
from features.errors import BankLost, CommitError
from features.upkeep.merge import merge
from features.upkeep.verify import verify
from tests.hostile.forge import SMALL, TEXTS, forge_manifest, segment_of, small_bank
from tests.made_up import SOURCE, values_of

BEFORE, AFTER = TEXTS[:2], TEXTS[2:]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescue, "_WAIT_SECONDS", 0.001)


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    return small_bank(tmp_path / "mine.bank", BEFORE)


def rows_of(texts: list[str]) -> tuple[np.ndarray, ...]:
    n_tokens = np.ones(len(texts), np.int32)
    values = np.stack([values_of(text, SMALL) for text in texts])
    return text_keys(texts), n_tokens, n_tokens == 0, values


def remove(bank: Path) -> None:
    shutil.rmtree(bank)


def move(bank: Path) -> None:
    bank.rename(bank.with_name("moved.bank"))


def replace_by_another_encoders(bank: Path) -> None:
    move(bank)
    small_bank(bank, ["theirs"], weights="9" * 64)


def replace_by_a_file(bank: Path) -> None:
    move(bank)
    bank.write_bytes(b"notes")


def replace_by_an_empty_folder(bank: Path) -> None:
    move(bank)
    bank.mkdir()


def replace_by_a_link_to_another(bank: Path) -> None:
    move(bank)
    small_bank(bank.with_name("theirs.bank"), ["theirs"], weights="9" * 64)
    bank.symlink_to("theirs.bank")


def edit(bank: Path) -> None:
    forge_manifest(bank, lambda content: content["setup"].update(weights="8" * 64))


def pipe(bank: Path) -> None:
    (bank / "bank.json").unlink()
    os.mkfifo(bank / "bank.json")


LOSSES = [remove, move, replace_by_another_encoders, replace_by_a_file, replace_by_an_empty_folder,
          replace_by_a_link_to_another, edit, pipe]  # fmt: skip


def files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("lose", LOSSES)
def test_rows_in_hand_go_to_a_bank_beside_it(lose: Callable[[Path], None], bank: Path) -> None:
    writer = Bank.open(bank).writer({})
    writer.add(*rows_of(AFTER[:2]))
    lose(bank)
    before = files(bank)
    with pytest.raises(BankLost, match=r"mine\.rescued\.bank.*`layerbank merge") as error:
        writer.flush()
    assert (error.value.exit_code, writer.n_committed) == (1, 0)
    with pytest.raises(BankLost):
        writer.add(*rows_of(AFTER[2:]))
    rescued = bank.with_name("mine.rescued.bank")
    assert error.value.rescued == rescued
    assert files(bank) == before
    assert verify(rescued).findings == ()
    into = bank.with_name("moved.bank")
    known = BEFORE if into.exists() else []
    assert merge([rescued], into) == len(AFTER)
    expected = [values_of(text, SMALL).ravel() for text in [*known, *AFTER]]
    found = Bank.open(into).matrix([*known, *AFTER], "*[:]+pooler")
    np.testing.assert_array_equal(found, expected)


def test_a_bank_that_goes_in_the_middle_of_a_commit(
    bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = os.fsync

    def losing(descriptor: int) -> None:
        synced(descriptor)
        if bank.exists():
            move(bank)

    monkeypatch.setattr(os, "fsync", losing)
    writer = Bank.open(bank).writer({})
    writer.add(*rows_of(AFTER))
    with pytest.raises(BankLost):
        writer.flush()
    assert Bank.open(bank.with_name("mine.rescued.bank")).contains(AFTER).all()


def test_what_stands_beside_it_already(bank: Path, tmp_path: Path) -> None:
    small_bank(tmp_path / "mine.rescued.bank", ["theirs"], max_length=7)
    (tmp_path / "mine.rescued-2.bank").symlink_to("elsewhere")
    (tmp_path / "mine.rescued-3.bank").write_bytes(b"")
    small_bank(tmp_path / "mine.rescued-4.bank", ["of another time"])
    with pytest.raises(BankLost, match=r"mine\.rescued-4\.bank"):
        with Bank.open(bank).writer({}) as writer:
            writer.add(*rows_of(AFTER))
            move(bank)
    assert Bank.open(tmp_path / "mine.rescued-4.bank").contains(["of another time", *AFTER]).all()
    assert not (tmp_path / "elsewhere").exists()
    segment_of(tmp_path / "mine.rescued.bank")  # and no other


def test_a_disk_that_fails_loses_no_bank(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Bank.open(bank).writer({})
    writer.add(*rows_of(AFTER))

    def fail(*_: object, **__: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", fail)
        with pytest.raises(CommitError) as error:
            writer.flush()
    assert not isinstance(error.value, BankLost)
    writer.flush()
    assert Bank.open(bank).contains(AFTER).all()
    assert not bank.with_name("mine.rescued.bank").exists()


def test_no_room_beside_it_keeps_the_rows(bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Bank.open(bank).writer({})
    writer.add(*rows_of(AFTER))
    move(bank)

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fail)
        with pytest.raises(CommitError, match="No space left"):
            writer.flush()
    with pytest.raises(BankLost):
        writer.flush()
    assert Bank.open(bank.with_name("mine.rescued.bank")).contains(AFTER).all()


def test_what_waits_for_the_writer_is_rescued_too(bank: Path) -> None:
    new_writer = partial(Bank.open(bank).writer, {}, segment_bytes=1)
    writer = BackgroundWriter(new_writer, 100, 2)
    n_added = 0
    with pytest.raises(BankLost), writer:
        move(bank)
        for text in AFTER:
            writer.add(*rows_of([text]))
            n_added += 1
    assert n_added
    assert Bank.open(bank.with_name("mine.rescued.bank")).n_texts == n_added


def test_it_is_said_whatever_stopped_the_writer(
    bank: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def stop(writer: BankWriter) -> None:
        writer.add(*rows_of(AFTER))
        move(bank)
        raise KeyboardInterrupt

    with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
        with Bank.open(bank).writer({}) as writer:
            stop(writer)
    assert "mine.rescued.bank" in caplog.text


def test_the_error_travels_between_processes(tmp_path: Path) -> None:
    error = pickle.loads(pickle.dumps(BankLost(tmp_path / "a", tmp_path / "b")))
    assert (error.rescued, error.exit_code) == (tmp_path / "b", 1)


def test_a_bank_that_was_made_anew_meanwhile_is_the_same_bank(bank: Path) -> None:
    with Bank.open(bank).writer({}) as writer:
        writer.add(*rows_of(AFTER))
        remove(bank)
        Bank.create(bank, SMALL, SOURCE)
    assert Bank.open(bank).contains(AFTER).all()
