"""Links in a bank: read through, and never written, moved or deleted through."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features import Bank
from features.disk.format import COMMITS_LOG, DAMAGED, RETIRED
from features.disk.index import INDEX
from features.disk.pending import DELETING
from features.errors import CommitError, LayerbankError
from features.upkeep.compact import compact
from features.upkeep.merge import merge
from features.upkeep.verify import verify
from tests.hostile.forge import COMMANDS, TEXTS, call, small_bank
from tests.made_up import add

OLD = (0, 0)


def state(folder: Path) -> dict[str, object]:
    """All that stands in a folder and below: links, and files with their bytes and times."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def two_segments(path: Path) -> Path:
    small_bank(path, TEXTS[:3])
    return small_bank(path, TEXTS[3:])


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    return two_segments(tmp_path / "mine.bank")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Another bank, all of whose files are old, with something in each of its folders."""
    folder = two_segments(tmp_path / "elsewhere.bank")
    compact(folder)
    small_bank(folder, ["more"])
    (folder / DAMAGED).mkdir()
    shutil.copy(next(folder.glob("segment-*")), folder / DAMAGED)
    for path in folder.rglob("*"):
        os.utime(path, OLD)
    return folder


PLACES: dict[str, Callable[[Path], Path]] = {
    "the bank": lambda elsewhere: elsewhere,
    "its retired": lambda elsewhere: elsewhere / RETIRED,
    "a segment": lambda elsewhere: next(elsewhere.glob("segment-*")),
    "its log": lambda elsewhere: elsewhere / COMMITS_LOG,
    "nothing": lambda elsewhere: elsewhere / "new",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "name",
    [RETIRED, DAMAGED, ".rearranging", DELETING, COMMITS_LOG, INDEX, ".writing-0123", "segment"],
)
def test_no_command_changes_anything_behind_a_link(
    name: str, place: str, bank: Path, elsewhere: Path, tmp_path: Path
) -> None:
    if name == "segment":
        name = min(path.name for path in bank.glob("segment-*"))
    target = PLACES[place](elsewhere)
    for command in ("compact", "merge into", "verify --repair", "compact", "delete"):
        shutil.rmtree(tmp_path / "try.bank", ignore_errors=True)
        shutil.copytree(bank, tmp_path / "try.bank")
        damage(tmp_path / "try.bank")
        (tmp_path / "try.bank" / name).unlink(missing_ok=True)
        (tmp_path / "try.bank" / name).symlink_to(target)
        before = state(elsewhere)
        code, said = call(command, tmp_path / "try.bank", bank)
        assert state(elsewhere) == before, (command, said)
        assert code in (0, 1, 2)


def damage(folder: Path) -> None:
    """Damage one segment, so that there is something to set aside."""
    path = max(folder.glob("segment-*"))
    data = bytearray(path.read_bytes())
    path.unlink()
    path.write_bytes(data[:-1])


@pytest.mark.parametrize("name", [RETIRED, DAMAGED])
def test_a_folder_of_the_bank_that_is_a_link_or_a_file_is_named(
    name: str, bank: Path, elsewhere: Path
) -> None:
    act = compact if name == RETIRED else lambda folder: verify(folder, repair=True)
    damaged = name == DAMAGED
    if damaged:
        damage(bank)
    for kind in ("link", "link to nothing", "file"):
        if kind == "file":
            (bank / name).write_bytes(b"")
        else:
            (bank / name).symlink_to(elsewhere / (RETIRED if kind == "link" else "new"))
        finding = next(each for each in verify(bank).findings if each.name == name)
        assert finding.kind == "stray"
        with pytest.raises(CommitError, match=rf"a link or a file.*move .*/{name} away"):
            act(bank)
        (bank / name).unlink()
    assert len([*bank.glob("segment-*")]) == 2


def test_only_old_segments_of_this_bank_are_deleted(
    bank: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compact(bank)
    retired = bank / RETIRED
    mine, kept = sorted(retired.glob("segment-*"))
    foreign = shutil.copy(next((elsewhere / RETIRED).glob("segment-*")), retired)
    small_bank(bank.parent / "other.bank", max_length=9)
    other = shutil.copy(next((bank.parent / "other.bank").glob("segment-*")), retired)
    content = kept.read_bytes()
    names = [f"segment-20260101T000000000000-{digits * 16}.h5" for digits in "abcde"]
    (retired / names[0]).write_bytes(b"notes")
    (retired / names[1]).symlink_to(kept)
    (retired / names[2]).mkdir()
    os.mkfifo(retired / names[3])
    (retired / names[4]).write_bytes(b"")
    (retired / "notes.txt").write_bytes(content)
    (retired / "sub").mkdir()
    shutil.copy(mine, retired / "sub")
    for path in [*retired.rglob("*"), Path(foreign), Path(other)]:
        if path != kept:
            os.utime(path, OLD, follow_symlinks=False)
    before = {path.name for path in retired.iterdir()}
    with caplog.at_level(logging.WARNING):
        compact(bank)
    gone = before - {path.name for path in retired.iterdir()}
    # The one from elsewhere is of the same set-up, and so of this bank as well.
    assert gone == {mine.name, Path(foreign).name}
    assert kept.read_bytes() == content
    assert {record.getMessage().split(" is left")[0] for record in caplog.records} == {
        str(retired / name) for name in [*names, Path(other).name]
    }


def test_a_bank_laid_out_as_links_is_read_and_compacted(
    bank: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    linked = tmp_path / "linked.bank"
    linked.mkdir()
    for path in bank.iterdir():
        (linked / path.name).symlink_to(path)
    before = state(bank)
    expected = Bank.open(bank).matrix(TEXTS, "*[:]+pooler")
    np.testing.assert_array_equal(Bank.open(linked).matrix(TEXTS, "*[:]+pooler"), expected)
    assert verify(linked).findings == ()
    with caplog.at_level(logging.WARNING):
        assert compact(linked).n_after == 1
    assert "it is a link, and nothing is written through links" in caplog.text
    assert sorted(os.listdir(linked / RETIRED)) == sorted(p.name for p in bank.glob("segment-*"))
    assert all(path.is_symlink() for path in (linked / RETIRED).iterdir())
    np.testing.assert_array_equal(Bank.open(linked).matrix(TEXTS, "*[:]+pooler"), expected)
    add(Bank.open(linked), ["one more"])
    assert merge([linked], tmp_path / "merged.bank") == len(TEXTS) + 1
    assert state(bank) == before


def test_a_log_that_is_a_link_grows_by_nothing(
    bank: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (bank / COMMITS_LOG).unlink()
    (bank / COMMITS_LOG).symlink_to(elsewhere / COMMITS_LOG)
    before = state(elsewhere)
    with caplog.at_level(logging.WARNING):
        add(Bank.open(bank), ["one more"])
    assert "could not note segment-" in caplog.text
    assert Bank.open(bank).contains(["one more"]).all()
    verify(bank, repair=True)
    assert state(elsewhere) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_link_to_nothing_or_to_itself(command: str, bank: Path, tmp_path: Path) -> None:
    names = ["bank.json", COMMITS_LOG, INDEX, min(path.name for path in bank.glob("segment-*"))]
    other = small_bank(tmp_path / "other.bank", ["another"])
    for name in names:
        for target in ("nothing", name):
            shutil.rmtree(tmp_path / "try.bank", ignore_errors=True)
            shutil.copytree(bank, tmp_path / "try.bank")
            (tmp_path / "try.bank" / name).unlink(missing_ok=True)
            (tmp_path / "try.bank" / name).symlink_to(target)
            code, said = call(command, tmp_path / "try.bank", other)
            if "verify" in command and name != COMMITS_LOG:
                assert (code, name in said) == (1, True), said
            elif name.startswith("segment") and command != "info":
                assert code in (0, 2)
                assert code == 0 or name in said
            if "repair" in command:
                assert call("verify", tmp_path / "try.bank", other)[0] == 0
    with pytest.raises(LayerbankError):
        Bank.open(tmp_path / "nothing.bank")
