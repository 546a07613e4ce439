"""float16 to float32, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from features.disk.gather import widen


def test_every_finite_float16_is_exact() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    values = every[np.isfinite(every)].reshape(-1, 16)
    out = np.empty(values.shape, np.float32)
    widen(values, out)
    np.testing.assert_array_equal(out.view(np.uint32), values.astype(np.float32).view(np.uint32))


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (100, 1), (3, 60_000), (257, 768)])
def test_any_shape_and_a_strided_target(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float16)
    wide = np.zeros((shape[0], shape[1] + 2), np.float32)
    widen(values, wide[:, 1:-1])
    np.testing.assert_array_equal(wide[:, 1:-1], values.astype(np.float32))
    assert not wide[:, [0, -1]].any()


def test_other_types_are_copied() -> None:
    values = np.float32([[1.5, -2.25]])
    for dtype in (np.float32, np.float64):
        out = np.empty((1, 2), dtype)
        widen(values, out)
        np.testing.assert_array_equal(out, values)
