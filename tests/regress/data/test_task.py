"""What stands beside the texts: groups, and the memory that labels take."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.errors import InputError
from regress.compute.arrays import numbered
from regress.data.dealing import joined_groups
from regress.data.task import checked_task
from regress.report.shares import shares_by

TEXTS, Y = list("abcdef"), np.arange(6.0)


def test_equal_numbers_are_one_group() -> None:
    task = checked_task(TEXTS, Y, groups=[1, 1.0, "1", np.float64(1), 2, True])
    assert task.groups == ["1", "1", "1", "1", "2", "True"]
    assert task.drawn_together.tolist() == [0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "", "nan"])
def test_a_missing_group_names_its_row(missing: Any) -> None:
    groups = ["x", "x", missing, "y", missing, "z"]
    with pytest.raises(InputError, match=r"groups are missing in row 3, 5: fill them in"):
        checked_task(TEXTS, Y, groups=groups)
    with pytest.raises(InputError, match="in row 13, 15: "):
        checked_task(TEXTS, Y, groups=groups, rows=range(11, 17))
    # Of rows that are left out nobody asks.
    weights = [1, 1, 0, 1, 0, 1]
    assert checked_task(TEXTS, Y, groups=groups, sample_weight=weights).groups == list("xxyz")


def test_numbers_of_names_are_those_of_unique() -> None:
    rng = np.random.default_rng(0)
    names = [f"name {number}" for number in rng.integers(0, 40, 200)]
    distinct, which = np.unique(np.array(names), return_inverse=True)
    ours, numbers = numbered(names)
    assert ours == distinct.tolist()
    np.testing.assert_array_equal(numbers, which)


def test_one_long_name_does_not_cost_its_length_for_each_row() -> None:
    n = 5_000
    y, names = np.arange(n, dtype=np.float64), [f"genre {i % 7}" for i in range(n)]
    names[3] = "x" * 20_000  # as an array of strings: 400 MB
    tracemalloc.start()
    try:
        shares = shares_by(y, y + 1, names)
        groups = joined_groups(np.arange(n), names)
        together = checked_task([str(i) for i in range(n)], y, groups=names).drawn_together
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(shares) == len(set(groups.tolist())) == len(set(together.tolist())) == 8
    assert peak < 20e6
