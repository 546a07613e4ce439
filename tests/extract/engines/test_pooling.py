"""Each pooling against NumPy, with and without padding."""

from __future__ import annotations

import numpy as np
import pytest

from extract.engines.pooling import POOLINGS, choose_poolings
from features.errors import InputError
from tests.extract.plain import POOLINGS as PLAIN

LENGTHS = [7, 3, 1]


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("padding", [0.0, 1e4, float("inf"), float("nan")])
def test_padding_never_reaches_the_result(name: str, dtype: str, padding: float) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    # All negative: a padding that was filled with 0 would win the maximum.
    hidden = (torch.randn(3, 7, 5, generator=generator) - 9).to(getattr(torch, dtype))
    mask = torch.arange(7) < torch.tensor(LENGTHS)[:, None]
    hidden[~mask] = padding
    pooled = POOLINGS[name](hidden, mask)
    assert pooled.dtype == torch.float32
    # A sum of seven float32, in whatever order, is right to some 1e-7.
    for row, length in enumerate(LENGTHS):
        states = hidden[row, :length].double().numpy()
        np.testing.assert_allclose(pooled[row].double().numpy(), PLAIN[name](states), rtol=1e-6)
        alone = POOLINGS[name](hidden[row : row + 1, :length], None)
        np.testing.assert_allclose(alone[0].numpy(), pooled[row].numpy(), rtol=1e-6)


def test_the_mean_is_summed_in_float32() -> None:
    import torch

    # In bfloat16, adding 1 to 256 changes nothing.
    assert POOLINGS["mean"](torch.ones(1, 512, 2, dtype=torch.bfloat16), None).tolist() == [[1, 1]]


def test_poolings_are_chosen_by_name() -> None:
    assert choose_poolings(["max", "cls", "max"]) == ("cls", "max")
    assert choose_poolings("max, cls") == ("cls", "max")
    assert choose_poolings("mean") == ("mean",)
    with pytest.raises(InputError, match="no pooling 'median': choose from cls, mean, max"):
        choose_poolings(["cls", "median"])
    with pytest.raises(InputError, match="choose from"):
        choose_poolings([])
