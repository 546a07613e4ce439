"""Sums of products: what is shared is added once, and always in one order."""

from __future__ import annotations

import numpy as np
import pytest

from features.banks import Banks
from regress.data.folds import make_folds
from regress.data.task import checked_task
from regress.sweep.candidates import BankBlock, combinations, every_block
from regress.sweep.products import Grams, Products
from regress.sweep.sums import Sums
from tests.regress.conftest import MadeUpTask

LEFT_OUT = (0, 2)


@pytest.fixture
def grams(task: MadeUpTask) -> Grams:
    checked = checked_task(task.texts, task.y)
    return Grams(Banks([task.bank]), checked, make_folds(checked.keys, checked.Y))


def selections(grams: Grams) -> list[tuple[BankBlock, ...]]:
    found = [each.blocks for each in combinations(grams.banks, ["max[1,0]+cls[2]", "mean[0,2]"])]
    return [blocks for blocks in found if blocks is not None]


def test_it_is_the_sum_of_the_blocks_products(grams: Grams) -> None:
    wanted = selections(grams)
    sums = Sums(grams, LEFT_OUT, {}, wanted, 100)
    for blocks in wanted:
        products = [grams.products(block, LEFT_OUT) for block in blocks]
        for part, terms in zip(sums.total(blocks), zip(*products, strict=True), strict=True):
            np.testing.assert_allclose(part, np.sum(terms, axis=0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("most", [0, 1, 100])
def test_its_digits_do_not_depend_on_what_else_is_added(grams: Grams, most: int) -> None:
    wanted = selections(grams)
    known = {block: grams.products(block, LEFT_OUT) for block in every_block(grams.banks)[:5]}
    beside = Sums(grams, LEFT_OUT, known, wanted, most)
    for blocks in wanted:
        alone = Sums(grams, LEFT_OUT, {}, [blocks], 0)
        for one, other in zip(beside.total(blocks), alone.total(blocks), strict=True):
            assert np.array_equal(one, other)


def test_a_total_is_the_callers_own(grams: Grams) -> None:
    [*_, blocks] = wanted = selections(grams)
    sums = Sums(grams, LEFT_OUT, {}, wanted, 100)
    first = sums.total(blocks)
    copy = Products(*(np.array(part) for part in first))
    for part in first:
        part[:] = np.nan
    for one, other in zip(sums.total(blocks), copy, strict=True):
        assert np.array_equal(one, other)


def test_sums_are_kept_as_long_as_their_share_of_memory_lasts(grams: Grams) -> None:
    first, second, *_ = selections(grams)
    sums = Sums(grams, LEFT_OUT, {}, [], 0)
    grams.room = 10**9
    grams.keep(first, LEFT_OUT, sums.total(first))
    assert grams.has_kept(first[::-1], LEFT_OUT)
    assert not grams.has_kept(first, (0,))
    kept = grams.kept(first, LEFT_OUT)
    assert kept is not None
    kept.kernel[:] = np.nan
    again = grams.kept(first, LEFT_OUT)
    assert again is not None
    assert np.array_equal(again.kernel, sums.total(first).kernel)
    grams.room = 0
    grams.keep(second, LEFT_OUT, sums.total(second))
    assert grams.kept(second, LEFT_OUT) is None
    grams.forget()
    assert grams.kept(first, LEFT_OUT) is None
