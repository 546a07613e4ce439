"""Banks are not merged that tokenizers wrote which give other tokens for one text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features import Bank
from features.errors import FingerprintMismatch
from features.keys import text_keys
from features.upkeep.merge import merge
from tests.made_up import SETUP, SOURCE, values_of


def made(path: Path, text: str, tokens: str | None) -> Path:
    bank = Bank.create(path, SETUP, SOURCE)
    provenance = {"engine": "made up"} if tokens is None else {"tokens": tokens}
    with bank.writer(provenance) as writer:
        keys, n = text_keys([text]), np.array([3], np.int32)
        writer.add(keys, n, np.array([False]), values_of(text)[None])
    return path


@pytest.mark.parametrize(("first", "second"), [("a", "a"), ("a", None), (None, "a"), (None, None)])
def test_one_tokenizer_or_none_that_is_known(
    tmp_path: Path, first: str | None, second: str | None
) -> None:
    banks = [made(tmp_path / "1.bank", "x", first), made(tmp_path / "2.bank", "y", second)]
    assert merge(banks, tmp_path / "all.bank") == 2


def test_two_tokenizers_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    banks = [made(tmp_path / "1.bank", "x", "a"), made(tmp_path / "2.bank", "y", "b")]
    with pytest.raises(
        FingerprintMismatch, match="give other tokens for one text, as two versions"
    ) as caught:
        merge(banks, tmp_path / "all.bank")
    assert caught.value.fields == ("tokens",)
    assert not (tmp_path / "all.bank").exists()
    with pytest.raises(FingerprintMismatch):
        merge(banks[:1], banks[1])
    assert Bank.open(banks[1]).n_texts == 1
