"""Why a prediction is what it is: the blocks it comes from, and the training texts it is like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.blocks import Block
from features.errors import InputError
from features.keys import Text
from regress.design import BankLike
from regress.explain_blocks import parts_of
from regress.explain_neighbours import nearest, similarity_to
from regress.explain_training import TrainingTexts, require_training, training_texts
from regress.fold_banks import FoldModels
from regress.matrix import term_matrix
from regress.pairwise import spread_anchors
from regress.run import Run, SavedModel

#: Neighbours of each text unless asked otherwise.
N_NEIGHBOURS = 5


@dataclass(frozen=True)
class Neighbour:
    """A training text, with its target and its similarity (`regress.explain_neighbours`)."""

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
        What there is without any block (`regress.explain_blocks`).
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

    run: Run
    items: Sequence[Explanation]
    id_name: str = "id"

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.items)

    def __getitem__(self, at: int) -> Explanation:  # type: ignore[override]
        return self.items[at]

    def _repr_html_(self) -> str:
        from regress.report.explanation import explanations_html

        return explanations_html(self)


def explain(
    run: Run,
    texts: Sequence[Text],
    bank: BankLike | None = None,
    *,
    model: str | None = None,
    n_neighbours: int = N_NEIGHBOURS,
    training: Sequence[Text] | str | Path | None = None,
    ids: Sequence[object] | None = None,
) -> Explanations:
    """Explain predictions for texts that the banks hold.

    Parameters
    ----------
    run
        What `load_run` gave.
    texts, bank, model
        As `Run.predict`.
    n_neighbours
        How many training texts to find for each; 0 needs neither these nor their vectors.
    training
        The run's training texts, or where their file is now; None for where it was.
    ids
        What each text is called; None for numbers from 1.

    Raises
    ------
    RunError, FingerprintMismatch, MissingTexts
        As `Run.predict`; and where the training texts or their vectors are gone.
    InputError
        The training texts are not the run's, or the model's kind cannot be explained.
    """
    if n_neighbours < 0:
        raise InputError(f"neighbours are 0 or more, not {n_neighbours}")
    texts = list(texts)
    chosen = run.chosen(model)
    banks = run.open_banks(bank, model=model)
    names = [str(one) for one in (range(1, len(texts) + 1) if ids is None else ids)]
    known = training_texts(run, training) if n_neighbours else None
    if known is not None:
        for of_run in banks.values():
            require_training(run, of_run.path, of_run, known.texts)
    columns = [_explained(run, of, banks, texts, names, known, n_neighbours) for of in chosen]
    items = [one for of_text in zip(*columns, strict=True) for one in of_text]
    return Explanations(run, items, "id" if known is None else known.id_name)


def _explained(
    run: Run,
    chosen: SavedModel,
    banks: Mapping[str, Bank],
    texts: Sequence[Text],
    names: Sequence[str],
    known: TrainingTexts | None,
    n_neighbours: int,
) -> list[Explanation]:
    """Of one target."""
    fitted, X = chosen.fitted, term_matrix(banks, texts, chosen.terms)
    blocks, bounds = _blocks(chosen, banks)
    parts, predicted = parts_of(fitted, X, bounds), fitted.predict(X)
    of_blocks = [_merged(blocks, row) for row in parts.of_blocks.tolist()]
    neighbours: list[list[Neighbour]] = [[] for _ in texts]
    own: list[float | None] = [None] * len(texts)
    if known is not None:
        targets, same = known.targets[chosen.target], known.numbers_of(texts)
        own = [float(targets[known.numbers == one].mean()) if one >= 0 else None for one in same]
        among = _candidates(run, chosen, targets)
        rows, similar = nearest(
            similarity_to(fitted, X),
            lambda part: term_matrix(banks, [known.texts[i] for i in among[part]], chosen.terms),
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


def _candidates(run: Run, chosen: SavedModel, targets: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows that may be neighbours: all, or the anchors that `pairwise` compares texts with."""
    if chosen.model != "pairwise":
        return np.arange(len(targets))
    if isinstance(chosen.fitted, FoldModels):
        raise InputError(
            "pairwise models of one bank a fold have anchors of their own in each fold: name "
            "another --model, or leave neighbours out with -k 0"
        )
    return spread_anchors(targets, run.description["regressors"]["pairwise"]["params"]["n_anchors"])


def _blocks(chosen: SavedModel, banks: Mapping[str, Bank]) -> tuple[list[str], list[int]]:
    """Names of the blocks in the order of their columns, and where each begins."""
    # One bank a fold holds the same blocks as all others: they count together.
    folds = isinstance(chosen.fitted, FoldModels)
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
