"""One prediction, explained: what each block adds to it, and which training texts are like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.keys import Text

#: Blocks that are shown by themselves, the largest first.
MAX_BLOCKS = 8


@dataclass(frozen=True)
class Neighbour:
    """A training text, with its target and its similarity (`regress.explain.neighbours`)."""

    id: str
    text: Text
    target: float
    similarity: float


@dataclass(frozen=True)
class Explanation:
    """One prediction.

    Attributes
    ----------
    id, text
        What was predicted.
    target, model
        Name of the target, and the model's label.
    prediction
        ``base + sum of blocks``, up to rounding.
    base
        What there is without any block (`regress.explain.blocks`).
    blocks
        By block, what it adds to the prediction.
    neighbours
        The most similar training texts, the nearest first; never the text itself.
    trained_on
        The text's own target, where it is one of the training texts: then the model has seen it,
        and the prediction is no evidence of how good the model is.
    """

    id: str
    text: Text
    target: str
    model: str
    prediction: float
    base: float
    blocks: Mapping[str, float]
    neighbours: Sequence[Neighbour]
    trained_on: float | None

    def largest_blocks(self) -> list[tuple[str, float]]:
        """Blocks by how much they move the prediction; the smallest of many as one sum."""
        ordered = sorted(self.blocks.items(), key=lambda item: -abs(item[1]))
        if len(ordered) <= MAX_BLOCKS + 1:
            return ordered
        others = ordered[MAX_BLOCKS:]
        return [
            *ordered[:MAX_BLOCKS],
            (f"{len(others)} others", sum(value for _, value in others)),
        ]

    def warning(self) -> str | None:
        """What has to be said of a training text; None for any other."""
        if self.trained_on is None:
            return None
        return (
            f"This is a training text with the target {self.trained_on:.4g}: the model has seen "
            "it, so the prediction says nothing of how good the model is (oof.csv does)."
        )
