"""Copies of rows beside the segments, and bytes with another name: what delete does about them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from features import Bank, Text, text_key, text_keys
from features.disk import snapshot
from features.disk.format import COMMITS_LOG, DAMAGED, RETIRED
from features.disk.index import INDEX, KeyIndex
from features.errors import CommitError
from features.upkeep.compact import compact
from features.upkeep.verify import verify
from tests.features.upkeep.traces import assert_holds, forget, state, traces
from tests.made_up import add

TEXTS: list[Text] = [f"text {i}" for i in range(12)]


def test_copies_in_the_banks_own_folders_go(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    add(bank, TEXTS[3:6])
    old = sorted(path.name for path in bank.path.glob("segment-*"))
    compact(bank.path)
    damaged = bank.path / DAMAGED
    damaged.mkdir()
    for number, (name, place) in enumerate(
        [(old[0], -5), (old[0], 100), (old[1], -5), (old[1], 100)]
    ):
        data = bytearray((bank.path / RETIRED / name).read_bytes())
        data[place] ^= 1  # in a block, or in the header
        (damaged / (name if place < 0 else f"{name}.{number}")).write_bytes(data)
    (damaged / "keys.index").write_bytes(b"no index" + text_key(TEXTS[0]))
    (damaged / "bank.json").write_text("{")
    (damaged / "notes.txt").write_text("mine")
    report = forget(bank, [TEXTS[0]])
    copies = {str(copy): copy.certain for copy in report.banks[0].copies}
    assert copies == {
        f"{RETIRED}/{old[0]}": True,
        f"{DAMAGED}/{old[0]}": True,
        f"{DAMAGED}/{old[0]}.1": False,  # whose it is cannot be read
        f"{DAMAGED}/{old[1]}.3": False,
        f"{DAMAGED}/keys.index": False,
    }
    assert sorted(os.listdir(damaged)) == sorted(["bank.json", "notes.txt", old[1]])
    assert os.listdir(bank.path / RETIRED) == [old[1]]
    assert traces(bank.path, [TEXTS[0]]) == []
    assert_holds(bank.path, TEXTS[1:6])


def test_rows_that_stand_in_copies_alone_are_found(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    (path,) = bank.path.glob("segment-*")
    (bank.path / RETIRED).mkdir()
    shutil.copy(path, bank.path / RETIRED)
    kept = path.read_bytes()
    forget(bank, [TEXTS[0]])
    (bank.path / RETIRED / path.name).write_bytes(kept)  # put back from a backup, say
    report = forget(bank, [TEXTS[0], TEXTS[1]], dry_run=True)
    assert (report.n_found, report.banks[0].n_rows) == (2, 1)
    forget(bank, [TEXTS[0]])
    assert os.listdir(bank.path / RETIRED) == []


def test_the_index_goes_and_comes_again_without_them(
    make_bank: Callable[..., Bank], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "KEEP_SEGMENTS", 3)
    bank = make_bank()
    for text in TEXTS[:8]:
        add(bank, [text])
    assert INDEX in traces(bank.path, [TEXTS[2]])
    forget(bank, [TEXTS[2]])
    assert (bank.path / INDEX).exists()
    assert traces(bank.path, [TEXTS[2]]) == []
    assert_holds(bank.path, [*TEXTS[:2], *TEXTS[3:8]])


def test_an_index_of_another_time_is_no_hiding_place(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    sizes = {segment.path.name: segment.n for segment in bank.segments}
    index = KeyIndex.over(text_keys(TEXTS[:3]))
    index.save(bank.path, sizes)
    stale = (bank.path / INDEX).read_bytes()
    forget(bank, TEXTS[:1])
    index.save(bank.path, sizes)  # by a reader that listed the bank before
    assert not (bank.path / INDEX).exists()
    (bank.path / INDEX).write_bytes(stale)
    assert forget(bank, TEXTS[:1]).n_found == 1
    assert traces(bank.path, TEXTS[:1]) == []


def test_a_damaged_segment_is_set_aside_first_and_goes_then(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS[:3])
    (path,) = bank.path.glob("segment-*")
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert verify(bank.path, repair=True).repaired
    report = forget(bank, TEXTS[:1])
    assert [str(copy) for copy in report.banks[0].copies] == [f"{DAMAGED}/{path.name}"]
    assert traces(bank.path, TEXTS[:1]) == []


def test_bytes_that_have_another_name_are_named_and_left(
    make_bank: Callable[..., Bank], tmp_path: Path
) -> None:
    bank = make_bank(TEXTS[:3])
    add(bank, TEXTS[3:6])
    add(bank, TEXTS[6:])
    compact(bank.path)
    add(bank, ["one more"])
    hard, linked = sorted(bank.path.glob("segment-*"))
    os.link(hard, tmp_path / "backup.h5")
    retired = sorted((bank.path / RETIRED).iterdir())
    os.link(retired[0], tmp_path / "another.h5")
    shutil.move(linked, tmp_path / linked.name)
    linked.symlink_to(tmp_path / linked.name)
    (bank.path / RETIRED / retired[1].name).unlink()
    (bank.path / RETIRED / retired[1].name).symlink_to(tmp_path / "another.h5")
    before = state(tmp_path)
    report = forget(bank, [TEXTS[0], "one more"])
    assert {*report.banks[0].linked} == {
        hard.name, linked.name, *(f"{RETIRED}/{path.name}" for path in retired[:2]),
    }  # fmt: skip
    outside = {name: data for name, data in before.items() if not name.startswith(bank.path.name)}
    assert {name: data for name, data in state(tmp_path).items() if name in outside} == outside
    assert traces(bank.path, [TEXTS[0], "one more"]) == []
    assert_holds(bank.path, TEXTS[1:])


@pytest.mark.parametrize("name", [RETIRED, DAMAGED, COMMITS_LOG])
@pytest.mark.parametrize("target", ["elsewhere", "nothing"])
def test_nothing_is_done_through_links(
    name: str, target: str, make_bank: Callable[..., Bank], tmp_path: Path
) -> None:
    bank = make_bank(TEXTS[:3])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(next(bank.path.glob("segment-*")), elsewhere)
    (bank.path / name).unlink(missing_ok=True)
    (bank.path / name).symlink_to(tmp_path / target)
    before = state(elsewhere)
    with pytest.raises(CommitError, match=rf"move .*/{name} away and call again"):
        forget(bank, TEXTS[:1])
    assert state(elsewhere) == before
    assert not (tmp_path / "nothing").exists()
    assert Bank.open(bank.path).contains(TEXTS[:3]).all()
    (bank.path / name).unlink()
    forget(bank, TEXTS[:1])
    assert_holds(bank.path, TEXTS[1:3])
