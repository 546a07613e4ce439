"""Addresses are no paths: one sentence wherever an input or a bank is named, and nothing made."""

from __future__ import annotations

from pathlib import Path

import pytest

from features import Bank
from features.bank import is_bank
from features.errors import InputError
from features.tables.table import open_table
from features.upkeep.compact import compact
from features.upkeep.merge import merge
from features.upkeep.summary import describe
from features.upkeep.verify import verify

ADDRESSES = ["s3://bucket/x.csv", "hf://datasets/a/b", "https://a.b/c.csv", "gs://a", "file:///x"]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "take",
    [
        open_table,
        Bank.open,
        is_bank,
        describe,
        compact,
        verify,
        lambda address: verify(address, repair=True),
        lambda address: merge([address], "other.bank"),
        lambda address: Bank.create(address, {}, {}),
    ],
)
def test_an_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take: object, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for given in (address, Path(address)):
        with pytest.raises(InputError, match=rf"^{address[:4]}\S* is an address, and an? "):
            take(given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a:b", "C:", "s3", "x:y/z.csv"])
def test_ordinary_names_are_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("text\na\n")
    assert open_table(path).columns == ["text"]
