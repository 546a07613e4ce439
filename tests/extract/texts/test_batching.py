"""Stretches lose no text and repeat none; batches keep the budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.texts.batching import Tokens, make_batch, plan_batches
from extract.texts.stream import NewTexts
from features.errors import InputError

lengths_lists = st.lists(st.integers(1, 600), min_size=1, max_size=200).map(np.array)


@given(lengths_lists, st.integers(1, 5000))
def test_batches_hold_every_text_once_within_the_budget(lengths: np.ndarray, budget: int) -> None:
    batches = list(plan_batches(lengths, budget))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    longest = [lengths[batch].max() for batch in batches]
    assert longest == sorted(longest, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget
        assert lengths[batch].max() - lengths[batch].min() <= max(8, 0.1 * lengths[batch].max())


@given(st.integers(1, 512), st.integers(1, 100), st.integers(512, 5000))
def test_equal_lengths_need_no_mask(length: int, n: int, budget: int) -> None:
    for batch in plan_batches(np.full(n, length), budget):
        tokens = [Tokens(np.ones(length, np.int32), None, False)] * len(batch)
        assert make_batch(tokens, 0).mask is None


def test_a_batch_is_padded_behind_the_tokens() -> None:
    longer = Tokens(np.array([5, 6, 7], np.int32), np.array([0, 0, 1], np.int8), False)
    shorter = Tokens(np.array([8], np.int32), None, False)
    batch = make_batch([longer, shorter], 9)
    assert batch.ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch.mask is not None
    assert batch.mask.tolist() == [[True] * 3, [True, False, False]]
    assert batch.type_ids is not None
    assert batch.type_ids.tolist() == [[0, 0, 1], [0, 0, 0]]


@given(st.lists(st.sampled_from([f"text {i}" for i in range(30)])), st.integers(1, 10))
def test_stretches_give_each_text_once_where_it_first_stands(texts: list[str], size: int) -> None:
    new = NewTexts(texts, None, size)
    stretches = list(new)
    given_out = [text for stretch in stretches for text in stretch.texts]
    assert given_out == list(dict.fromkeys(texts))
    assert (new.n_read, new.n_new) == (len(texts), len(set(texts)))
    for stretch in stretches:
        assert [texts[number - 1] for number in stretch.numbers] == stretch.texts
        assert stretch.keys.shape == (len(stretch.texts), 32)


def test_stretches_grow_so_that_the_first_batch_comes_soon() -> None:
    stretches = NewTexts((f"text {i}" for i in range(40_000)), None)
    sizes = [len(stretch.texts) for stretch in stretches]
    assert sizes == [2_048, 4_096, 8_192, 16_384, 40_000 - 30_720]


def test_a_batch_has_only_so_many_texts_however_short_they_are() -> None:
    batches = plan_batches(np.full(300, 3), 4_096, fewest=32)
    assert [len(batch) for batch in batches] == [128, 128, 44]


@given(lengths_lists, st.integers(1, 5000))
def test_where_nothing_may_be_padded_a_batch_has_one_length(
    lengths: np.ndarray, budget: int
) -> None:
    batches = list(plan_batches(lengths, budget, pads=False))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert all(len(set(lengths[batch])) == 1 for batch in batches)


def test_the_stream_is_read_no_further_than_needed() -> None:
    taken = []
    stream = (taken.append(i) or f"text {i}" for i in range(100))
    next(iter(NewTexts(stream, None, 10)))
    assert len(taken) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "text 2 is no string but NoneType"),
        (3.5, "text 2 is no string but float"),
        (("a", None), "text 2 has a part that is no string but NoneType"),
        (("a", "b", "c", None), "text 2 has a part that is no string but NoneType"),
        ((), "text 2 has no parts"),
    ],
)
def test_what_is_no_text_is_refused(text: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(NewTexts(["fine", text], None))  # type: ignore[list-item]
