"""Two banks that should hold the same, however many processes made them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features import Bank
from features.keys import Text
from tests.tiny_encoders import CORPUS

#: What the README says of a text's numbers in fp32, whatever its neighbours in a batch are.
TOLERANCE = 1e-5


def made_up_texts(n: int, *, longest: int = 40) -> list[str]:
    """Distinct texts of many lengths."""
    chance = random.Random(0)
    words = " ".join(CORPUS).split()
    return [f"{i} {' '.join(chance.choices(words, k=chance.randint(1, longest)))}"
            for i in range(n)]  # fmt: skip


def assert_same(
    bank: Path, other: Path, texts: Sequence[Text], tolerance: float = TOLERANCE
) -> None:
    """The same keys, and each vector within the tolerance of the other's length."""
    one, two = Bank.open(bank), Bank.open(other)
    assert one.fingerprint == two.fingerprint
    assert one.n_texts == two.n_texts == len(set(texts))
    assert one.contains(texts).all()
    assert two.contains(texts).all()
    assert (one.n_tokens(texts) == two.n_tokens(texts)).all()
    shape = (len(texts), len(one.blocks), one.hidden_size)
    everything = "*[:]+pooler" if one.has_pooler else "*[:]"
    a = one.matrix(texts, everything).reshape(shape)
    b = two.matrix(texts, everything).reshape(shape)
    distance = np.linalg.norm(a - b, axis=2) / np.linalg.norm(b, axis=2)
    assert distance.max() <= tolerance


def n_rows(bank: Path) -> int:
    """Rows of all segments, texts that stand there twice included."""
    return sum(segment.n for segment in Bank.open(bank).segments)
