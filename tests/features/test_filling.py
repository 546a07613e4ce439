"""Texts that a bank lacks, encoded on demand; here by numbers that are made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features import Bank, Text
from features.disk.format import MANIFEST
from features.disk.notes import note_file
from features.errors import MissingTexts
from features.filling import fill
from tests.made_up import SETUP, SOURCE, add, values_of


class Made:
    """A stage 1 that remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[Text], Path, Mapping[str, Any]]] = []

    def __call__(self, texts: Sequence[Text], into: Path, recorded: Mapping[str, Any]) -> None:
        self.calls.append((list(texts), into, recorded))
        add(Bank.create(into, recorded.get("setup", SETUP), SOURCE), list(texts))


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    bank = Bank.create(tmp_path / "own.bank", SETUP, SOURCE)
    add(bank, ["a", "b"])
    note_file(bank.path / MANIFEST)
    return bank


def read_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As another user's folder is: tests may run as root, who can write anywhere."""
    monkeypatch.setattr("features.filling.is_writable", lambda path: Path(path) != folder)


def test_only_what_is_missing_is_encoded_and_then_kept(bank: Bank) -> None:
    encode = Made()
    fill(bank, ["b", "c", "d", "c"], encode)
    fill(bank, ["c", "a"], encode)
    assert [texts for texts, _, _ in encode.calls] == [["c", "d", "c"]]
    assert bank.contains(["a", "b", "c", "d"]).all()
    assert np.array_equal(bank.matrix(["d"], "pooler")[0], values_of("d")[-1])
    assert Bank.open(bank.path).n_texts == 4


def test_where_nothing_encodes_texts_are_refused(bank: Bank) -> None:
    with pytest.raises(MissingTexts, match="lacks 1 of the texts, first at row 2"):
        fill(bank, ["a", "c"], None)
    fill(bank, ["a", "b"], None)


def test_a_bank_that_cannot_be_written_to_takes_them_for_as_long_as_it_is_open(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_only(monkeypatch, bank.path)
    encode, opened = Made(), Bank.open(bank.path)
    fill(opened, ["c"], encode)
    [(_, into, recorded)] = encode.calls
    assert into != bank.path
    assert recorded["setup"] == bank.setup
    assert recorded["source"] == SOURCE
    assert opened.contains(["a", "c"]).all()
    assert Bank.open(bank.path).n_texts == 2
    del opened
    assert not into.exists()


def test_a_strangers_bank_names_no_encoder(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.filling.is_noted", lambda path: False)
    read_only(monkeypatch, bank.path)
    encode = Made()
    fill(bank, ["c"], encode)
    [(_, _, recorded)] = encode.calls
    assert recorded == {"setup": bank.setup, "source": {}}
    fill(bank, ["d"], encode, {"setup": bank.setup, "source": {"encoder": "named"}})
    assert encode.calls[1][2]["source"] == {"encoder": "named"}
    assert bank.contains(["a", "c", "d"]).all()
