"""Why a prediction is what it is: the blocks it comes from, and the training texts it is like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.keys import Text, text_keys
from features.selection import Block, ResolvedTerm
from regress.data.matrix import term_matrix
from regress.explain.explanation import Explanation, Neighbour, TrainingTexts
from regress.explain.neighbours import nearest
from regress.models.base import FittedModel


class Explained(Protocol):
    """A fitted model of one target."""

    @property
    def terms(self) -> tuple[ResolvedTerm, ...]: ...
    @property
    def fitted(self) -> FittedModel: ...
    @property
    def target(self) -> str: ...
    @property
    def label(self) -> str: ...


#: Neighbours of each text unless asked otherwise.
N_NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class Explanations(Sequence[Explanation]):
    """Explanations of several texts, target by target for each; a notebook shows them.

    Attributes
    ----------
    run, items
        What was explained, and how.
    id_name
        What the run calls the ids of its training texts.
    """

    run: Path
    items: Sequence[Explanation]
    id_name: str = "id"

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.items)

    def __getitem__(self, at: int) -> Explanation:  # type: ignore[override]
        return self.items[at]

    def _repr_html_(self) -> str:
        from regress.explain.explanation import explanations_html

        return explanations_html(self)


def _explained(
    chosen: Explained,
    among: NDArray[np.int64],
    banks: Mapping[str, Bank],
    texts: Sequence[Text],
    names: Sequence[str],
    known: TrainingTexts | None,
    n_neighbours: int,
) -> list[Explanation]:
    """Of one target."""
    keys = text_keys(texts)
    fitted, X = chosen.fitted, term_matrix(banks, keys, chosen.terms)
    blocks, bounds = _blocks(chosen, banks)
    parts, predicted = fitted.parts(X, bounds), fitted.predict(X)
    of_blocks = [_merged(blocks, row) for row in parts.of_blocks.tolist()]
    neighbours: list[list[Neighbour]] = [[] for _ in texts]
    own: list[float | None] = [None] * len(texts)
    if known is not None:
        targets, same = known.targets[chosen.target], known.numbers_of(keys)
        own = [float(targets[known.numbers == one].mean()) if one >= 0 else None for one in same]
        rows, similar = nearest(
            fitted.similarity_to(X),
            lambda part: term_matrix(banks, known.keys[among[part]], chosen.terms),
            X.shape[1],
            n_neighbours,
            same=same,
            numbers=known.numbers[among],
        )
        neighbours = [
            [
                Neighbour(known.ids[i], known.texts[i], float(targets[i]), value)
                for i, value in zip(among[at].tolist(), values, strict=True)
                if np.isfinite(value)
            ]
            for at, values in zip(rows, similar.tolist(), strict=True)
        ]
    return [
        Explanation(name, text, chosen.target, chosen.label, prediction, base, of, near, seen)
        for name, text, prediction, base, of, near, seen in zip(
            names,
            texts,
            predicted.tolist(),
            parts.base.tolist(),
            of_blocks,
            neighbours,
            own,
            strict=True,
        )
    ]


def _blocks(chosen: Explained, banks: Mapping[str, Bank]) -> tuple[list[str], list[int]]:
    """Names of the blocks in the order of their columns, and where each begins."""
    # One bank a fold holds the same blocks as all others: they count together.
    folds = chosen.fitted.fold_wise
    several = not folds and len({term.bank for term in chosen.terms}) > 1
    names, widths = [], []
    for term in chosen.terms:
        prefix = f"{term.bank}/" if several else ""
        of_term = [_average(term.blocks)] if term.average else [str(b) for b in term.blocks]
        names += [prefix + name for name in of_term]
        widths += [banks[term.bank].hidden_size] * len(of_term)
    return names, [0, *accumulate(widths)]


def _average(blocks: Sequence[Block]) -> str:
    pooling, layers = blocks[0].pooling, [block.layer for block in blocks]
    if len({block.pooling for block in blocks}) > 1:
        return f"avg({'+'.join(map(str, blocks))})"
    return f"avg({pooling}[{','.join(map(str, layers))}])"


def _merged(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """Blocks that stand several times, such as in several members of a blend, added up."""
    merged = dict.fromkeys(names, 0.0)
    for name, value in zip(names, values, strict=True):
        merged[name] += value
    return merged
