"""Folds: balanced, seeded, and duplicates never straddle."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from features import text_keys
from features.errors import InputError
from regress.data.dealing import target_strata
from regress.data.folds import make_folds


def keys_of(n: int) -> np.ndarray:
    return text_keys([f"text {i}" for i in range(n)])


def test_strata_are_pandas_deciles() -> None:
    y = np.random.default_rng(0).standard_normal(537).round(1)
    expected = pd.qcut(y, 10, labels=False, duplicates="drop")
    np.testing.assert_array_equal(target_strata(y), expected)


def test_few_distinct_values_are_a_stratum_each() -> None:
    y = np.array([0.0] * 95 + [1.0] * 5)
    folds = make_folds(keys_of(100), y)
    assert [int(y[folds.rows([k])].sum()) for k in range(5)] == [1] * 5


def test_each_stratum_and_each_fold_is_balanced() -> None:
    y = np.random.default_rng(1).standard_normal(203)
    folds = make_folds(keys_of(203), y, n_folds=5)
    assert np.ptp(np.bincount(folds.numbers)) <= 1
    for stratum in range(10):
        inside = folds.numbers[target_strata(y) == stratum]
        assert np.ptp(np.bincount(inside, minlength=5)) <= 1


@given(
    st.lists(st.sampled_from("abcdefghij"), min_size=12, max_size=40),
    st.sampled_from(["stratified", "plain", "group"]),
    st.integers(0, 5),
)
def test_duplicates_and_groups_never_straddle(texts: list[str], scheme: str, seed: int) -> None:
    y = np.array([float(ord(text)) + 0.1 * i for i, text in enumerate(texts)])
    groups = [f"{text}{i % 2}" for i, text in enumerate(texts)]
    try:
        folds = make_folds(text_keys(texts), y, n_folds=3, scheme=scheme, groups=groups, seed=seed)
    except InputError:
        assume(False)
    assert set(folds.numbers) == {0, 1, 2}
    for text in set(texts):
        assert len({int(f) for f, t in zip(folds.numbers, texts, strict=True) if t == text}) == 1
    if scheme == "group":
        for group in set(groups):
            at = [i for i, g in enumerate(groups) if g == group]
            assert len(set(folds.numbers[at])) == 1


def test_groups_fill_folds_evenly() -> None:
    groups = [f"g{i // 10}" for i in range(200)]
    folds = make_folds(keys_of(200), np.arange(200.0), scheme="group", groups=groups)
    assert np.bincount(folds.numbers).tolist() == [40] * 5


def test_repeats_divide_groups_of_different_sizes_anew() -> None:
    groups = [f"g{size}" for size in range(1, 12) for _ in range(size)]
    keys, y = keys_of(len(groups)), np.arange(float(len(groups)))
    several = [make_folds(keys, y, scheme="group", groups=groups, seed=seed) for seed in range(4)]
    assert len({folds.digest for folds in several}) == 4
    assert max(np.bincount(folds.numbers).max() for folds in several) <= 20


def test_folds_follow_the_texts_whatever_their_order() -> None:
    keys, y = keys_of(50), np.random.default_rng(2).standard_normal(50)
    order = np.random.default_rng(3).permutation(50)
    folds, shuffled = make_folds(keys, y), make_folds(keys[order], y[order])
    np.testing.assert_array_equal(folds.numbers[order], shuffled.numbers)
    assert folds.digest == shuffled.digest
    assert folds.short == folds.digest[:12]


def test_seed_and_number_of_folds_change_the_digest() -> None:
    keys, y = keys_of(50), np.arange(50.0)
    digests = {make_folds(keys, y, seed=seed, n_folds=n).digest for seed in (0, 1) for n in (3, 5)}
    assert len(digests) == 4
    assert make_folds(keys, y, seed=1).digest == make_folds(keys, y, seed=1).digest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_folds": 2}, "2 folds are too few"),
        ({"n_folds": 11}, "10 rows with 10 distinct texts cannot be divided into 11 folds"),
        ({"scheme": "random"}, "not 'random'"),
        ({"scheme": "group"}, "--group COLUMN"),
        ({"scheme": "group", "groups": ["a", "b"] * 5}, "2 groups that share no text cannot"),
    ],
)
def test_what_cannot_be_divided(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_folds(keys_of(10), np.arange(10.0), **options)  # type: ignore[arg-type]
