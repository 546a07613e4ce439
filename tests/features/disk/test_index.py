"""Key lookup against a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.disk.index import KeyIndex

# Few distinct prefixes, so that equal prefixes and duplicates are the rule.
_key = st.builds(
    lambda head, tail: bytes([head] * 8) + bytes(23) + bytes([tail]),
    st.integers(0, 3) | st.just(255),
    st.integers(0, 4),
)


def _array(keys: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32)


@given(parts=st.lists(st.lists(_key, max_size=8), max_size=4), wanted=st.lists(_key, max_size=12))
def test_finds_the_first_of_each_key(parts: list[list[bytes]], wanted: list[bytes]) -> None:
    first: dict[bytes, int] = {}
    for row, key in enumerate(key for part in parts for key in part):
        first.setdefault(key, row)
    index = KeyIndex.of([_array(part) for part in parts])
    assert index.find(_array(wanted)).tolist() == [first.get(key, -1) for key in wanted]
    assert np.flatnonzero(index.firsts()).tolist() == sorted(first.values())
