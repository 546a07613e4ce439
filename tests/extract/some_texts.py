"""Texts of all lengths and kinds, made of a few sentences."""

from __future__ import annotations

import random

from features import Text
from tests.tiny_encoders import CORPUS

WORDS = " ".join(CORPUS).split()


def some_texts(lengths: list[int], seed: int = 0) -> list[str]:
    """Texts of so many words each, all different, in random order."""
    generator = random.Random(seed)
    texts = [" ".join(generator.choices(WORDS, k=n)) for n in lengths]
    generator.shuffle(texts)
    return texts


#: Words to texts from one token to beyond 512; many of like length, some alone.
LENGTHS = [1, 1, 2, 3, 3, 3, 8, 9, 9, 9, 10, 40, 41, 41, 60, 120, 200, 330, 600]

TEXTS: list[Text] = [
    *some_texts(LENGTHS),
    "a literal <pad> and </s>, <mask> or [MASK] in a text",
    "Ünïcödé, 日本語 and 🦢🏽‍♀️ with \t tabs\n\nand lines",
    ("What is asked?", "An answer that is somewhat longer than the question was."),
    ("Summarise:", some_texts([500], 7)[0]),
]
