"""What a sweep tries: blocks that stay blocks, written as the selection language has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from features import Bank, Selection
from features.banks import Banks
from regress.sweep.candidates import combinations, concatenated, every_block, single_blocks
from tests.made_up import SETUP, SOURCE


def made_up_banks(folder: Path, n_banks: int) -> Banks:
    setups = [{**SETUP, "pooler": not number, "n_layers": 3 + number} for number in range(n_banks)]
    return Banks(
        [Bank.create(folder / f"b{at}.bank", setup, SOURCE) for at, setup in enumerate(setups)]
    )


@pytest.mark.parametrize("n_banks", [1, 2])
def test_every_selection_means_what_is_written(tmp_path: Path, n_banks: int) -> None:
    banks = made_up_banks(tmp_path, n_banks)
    blocks = every_block(banks)
    tried = [*single_blocks(banks), *combinations(banks), concatenated(banks, blocks[::-2])]
    assert len(tried) > len(blocks) + 5 * n_banks
    for selection in tried:
        assert banks.resolve(selection.text) == selection.terms
        assert str(Selection.parse(selection.text)) == selection.text
        assert selection.blocks is not None
    assert tried[-1].content == tuple(sorted(blocks[::-2], key=repr))


def test_selections_of_the_same_columns_are_one(tmp_path: Path) -> None:
    banks = made_up_banks(tmp_path, 1)
    given = ["max[-1] + mean[-1]", "avg(cls[:])", "avg(cls[0:3])", "mean[0]"]
    names = [selection.text for selection in combinations(banks, given)]
    assert names[-2:] == ["avg(cls[:])", "mean[0]"]
    assert names.count("mean[-1]+max[-1]") == 1
    assert "max[-1]+mean[-1]" not in names
