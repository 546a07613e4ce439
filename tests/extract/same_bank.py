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
    found, expected = Bank.open(bank), Bank.open(other)
    assert found.fingerprint == expected.fingerprint
    assert found.n_texts == expected.n_texts == len(set(texts))
    assert found.contains(texts).all()
    assert expected.contains(texts).all()
    assert (found.n_tokens(texts) == expected.n_tokens(texts)).all()
    shape = (len(texts), len(found.blocks), found.hidden_size)
    everything = "*[:]+pooler" if found.has_pooler else "*[:]"
    a = found.matrix(texts, everything).reshape(shape)
    b = expected.matrix(texts, everything).reshape(shape)
    distance = np.linalg.norm(a - b, axis=2) / np.linalg.norm(b, axis=2)
    assert distance.max() <= tolerance


def n_rows(bank: Path) -> int:
    """Rows of all segments, texts that stand there twice included."""
    return sum(segment.n for segment in Bank.open(bank).segments)
