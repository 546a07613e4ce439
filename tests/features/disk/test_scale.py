"""Many keys, many segments, several writers: what the bank says stays what was written."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from features import Bank
from features.disk.index import INDEX, KeyIndex
from features.keys import text_keys
from features.upkeep import compact
from features.upkeep.merge import merge
from features.upkeep.summary import describe
from features.upkeep.verify import verify
from tests.made_up import SETUP, SOURCE

N_WRITERS = 4
HIDDEN = 8
BIG = {**SETUP, "n_layers": 13, "hidden_size": HIDDEN, "pooler": False}
WRITER = textwrap.dedent(
    """
    import sys
    import numpy as np
    from features import Bank
    from tests.features.disk.test_scale import keys_of, values_of

    path, first, last, rows = sys.argv[1], *map(int, sys.argv[2:])
    bank = Bank.open(path)
    with bank.writer({}, segment_bytes=rows * 39 * 8 * 4) as writer:
        for start in range(first, last, 500):
            numbers = np.arange(start, min(start + 500, last))
            tokens = (numbers % 500).astype(np.int32)
            writer.add(keys_of(numbers), tokens, tokens > 400, values_of(numbers))
    """
)


def keys_of(numbers: np.ndarray) -> np.ndarray:
    return text_keys(f"text {number}" for number in numbers.tolist())


def values_of(numbers: np.ndarray) -> np.ndarray:
    """Shape (n, 39, HIDDEN), float32, another for every text and place."""
    return (numbers[:, None, None] + np.linspace(0, 0.5, 39 * HIDDEN).reshape(39, HIDDEN)).astype(
        np.float32
    )


def assert_holds(path: Path, n: int) -> None:
    """Every key, in another order than it was written in, has its numbers."""
    bank = Bank.open(path)
    assert bank.n_texts == n
    numbers = np.random.default_rng(0).permutation(n)
    keys = keys_of(numbers)
    assert bank.contains_keys(keys).all()
    assert not bank.contains_keys(keys_of(numbers[:1000] + n)).any()
    for block in ("cls[0]", "mean[-1]", "max[6]"):
        (term,) = bank.resolve(block)
        out = np.empty((n, HIDDEN), np.float32)
        bank.fill_keys(out, keys, (term,))
        np.testing.assert_array_equal(out, values_of(numbers)[:, bank.blocks.index(term.blocks[0])])
    assert bank.n_tokens([f"text {n - 1}"]) == [(n - 1) % 500]


@pytest.mark.parametrize(
    ("n", "rows"), [(20_000, 100), pytest.param(200_000, 1000, marks=pytest.mark.slow)]
)
def test_four_writers_then_compact_and_verify(tmp_path: Path, n: int, rows: int) -> None:
    path = Bank.create(tmp_path / "a.bank", BIG, SOURCE).path
    overlap = n // 10  # of each writer with the next: keys that stand twice
    writers = []
    for share in range(N_WRITERS):
        first, last = share * n // N_WRITERS, (share + 1) * n // N_WRITERS + overlap
        numbers = [str(path), str(first), str(min(last, n)), str(rows)]
        writers.append(subprocess.Popen([sys.executable, "-c", WRITER, *numbers]))
    assert [writer.wait() for writer in writers] == [0] * N_WRITERS
    n_segments = len(Bank.open(path).segments)
    assert n_segments >= n // rows
    assert_holds(path, n)
    assert (path / INDEX).exists()
    assert verify(path).findings == ()
    into = tmp_path / "merged.bank"
    assert merge([path], into) == n
    assert_holds(into, n)
    report = compact.compact(path, segment_bytes=8 << 20)
    assert report.n_before == n_segments
    assert report.n_after < n_segments / 10
    assert report.n_dropped == overlap * (N_WRITERS - 1)
    checked = verify(path)
    assert checked.findings == ()
    assert checked.n_rows == n
    facts = describe(path)
    assert facts["n_texts"] == n
    assert facts["tokens"]["total"] == int((np.arange(n) % 500).sum())
    assert_holds(path, n)


def test_an_index_of_other_keys_is_not_sound() -> None:
    keys = keys_of(np.arange(300)).copy()
    keys[7] = keys[250]
    index = KeyIndex.over(keys)
    assert index.is_sound()
    prefixes, order = index._prefixes, index._order
    at = int(np.flatnonzero(prefixes[1:] == prefixes[:-1])[0])
    swapped = np.arange(300)
    swapped[[at, at + 1]] = at + 1, at
    wrong = [
        KeyIndex(prefixes, order[swapped], keys),  # a key that stands twice, the last first
        KeyIndex(prefixes[::-1], order[::-1], keys),
        KeyIndex(prefixes, np.roll(order, 1), keys),
        KeyIndex(prefixes[[0, *range(299)]], order[[0, *range(299)]], keys),  # a row that lacks
        KeyIndex(prefixes, np.where(order == 0, 300, order).astype(np.uint32), keys),
    ]
    assert not any(one.is_sound() for one in wrong)


def test_an_index_is_searched_and_checked_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.disk.index.CHUNK", 7)
    keys = keys_of(np.arange(50))
    index = KeyIndex.over(keys)
    assert index.find(keys[::-1]).tolist() == list(range(49, -1, -1))
    assert (index.find(keys_of(np.arange(50, 80))) == -1).all()
    assert index.is_sound()
    order = index._order.copy()
    order[[6, 7]] = order[[7, 6]]  # where two pieces meet
    assert not KeyIndex(index._prefixes, order, keys).is_sound()
    prefixes = index._prefixes.copy()
    swapped = np.r_[0:6, 7, 6, 8:50]
    assert not KeyIndex(prefixes[swapped], index._order[swapped], keys).is_sound()
