"""Why a run predicts what it does: the blocks of a prediction, and training texts alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.errors import InputError
from features.keys import Text, text_keys
from features.selection import Block
from regress.compute.arrays import Matrix, Rows
from regress.data.matrix import term_matrix
from regress.explain.explanation import Explanation, Neighbour
from regress.explain.neighbours import nearest
from regress.models.registry import MODELS
from regress.runs.folder import RunFolder, damaged
from regress.runs.saved_model import SavedModel
from regress.runs.training import TrainingTexts


def explained(
    run: RunFolder,
    saved: SavedModel,
    banks: Mapping[str, Bank],
    texts: Sequence[Text],
    ids: Sequence[str],
    training: TrainingTexts | None,
    n_neighbours: int,
) -> list[Explanation]:
    """Explain what one of a run's models predicts for texts.

    Parameters
    ----------
    banks
        By the names they have in the run; they hold the texts, and the training texts if given.
    ids
        What each text is called.
    training
        What neighbours are looked for among; None for no neighbours.

    Raises
    ------
    InputError
        The model's kind cannot be explained.
    """
    keys = text_keys(texts)
    fitted, X = saved.fitted, term_matrix(banks, keys, saved.terms)
    names, bounds = _blocks(saved, banks)
    try:
        base, of_blocks = fitted.parts(X, bounds)
    except ValueError as error:
        raise damaged(saved.path, error) from error
    neighbours: list[list[Neighbour]] = [[] for _ in texts]
    trained_on: list[float | None] = [None] * len(texts)
    if training is not None:
        numbers = training.numbers_of(keys)
        trained_on = _own_targets(training, saved.target, numbers)
        neighbours = _neighbours(run, saved, banks, X, numbers, training, n_neighbours)
    predicted = _finite(fitted.predict(X), saved)
    columns = zip(
        ids, texts, predicted.tolist(), base.tolist(), of_blocks.tolist(), neighbours,
        trained_on, strict=True,
    )  # fmt: skip
    return [
        Explanation(
            id=id, text=text, target=saved.target, model=saved.label, prediction=prediction,
            base=own_base, blocks=_added_up(names, parts), neighbours=near, trained_on=own_target,
        )
        for id, text, prediction, own_base, parts, near, own_target in columns
    ]  # fmt: skip


def _finite(predictions: Matrix, saved: SavedModel) -> Matrix:
    if not np.isfinite(predictions).all():
        raise damaged(saved.path, "it predicts what is no number")
    return predictions


def _blocks(saved: SavedModel, banks: Mapping[str, Bank]) -> tuple[list[str], list[int]]:
    """Names of the blocks in the order of their columns, and where each begins."""
    # One bank a fold holds the same blocks as all others: they count together.
    several = not saved.fitted.fold_wise and len({term.bank for term in saved.terms}) > 1
    names, widths = [], []
    for term in saved.terms:
        prefix = f"{term.bank}/" if several else ""
        of_term = [(_average(term.blocks), 1)] if term.average else [
            (str(block), block.n_parts) for block in term.blocks
        ]  # fmt: skip
        names += [prefix + name for name, _ in of_term]
        widths += [banks[term.bank].hidden_size * n_parts for _, n_parts in of_term]
    return names, [0, *accumulate(widths)]


def _average(blocks: Sequence[Block]) -> str:
    pooling, layers = blocks[0].pooling, [block.layer for block in blocks]
    if len({block.pooling for block in blocks}) > 1:
        return f"avg({'+'.join(map(str, blocks))})"
    return f"avg({pooling}[{','.join(map(str, layers))}])"


def _added_up(names: Sequence[str], parts: Sequence[float]) -> dict[str, float]:
    """Parts by block; those of one that stands in several members of a blend are added up."""
    total = dict.fromkeys(names, 0.0)
    for name, part in zip(names, parts, strict=True):
        total[name] += part
    return total


def _own_targets(training: TrainingTexts, target: str, numbers: Rows) -> list[float | None]:
    """The mean target of each text's own rows, where it is a training text of the model."""
    targets = training.targets[target]
    known = ~np.isnan(targets)
    own = [targets[known & (training.numbers == number)] for number in numbers]
    return [float(values.mean()) if len(values) else None for values in own]


def _neighbours(
    run: RunFolder,
    saved: SavedModel,
    banks: Mapping[str, Bank],
    X: NDArray[np.float32],
    numbers: Rows,
    training: TrainingTexts,
    n_neighbours: int,
) -> list[list[Neighbour]]:
    """The most similar training texts of each text, never the text itself."""
    targets = training.targets[saved.target]
    among = _comparable(run, saved, targets)
    places, similarities = nearest(
        saved.fitted.similarity_to(X),
        lambda part: term_matrix(banks, training.keys[among[part]], saved.terms),
        X.shape[1],
        n_neighbours,
        same=numbers,
        numbers=training.numbers[among],
    )
    return [
        [
            Neighbour(training.ids[row], training.texts[row], float(targets[row]), similarity)
            for row, similarity in zip(among[of_text].tolist(), similar, strict=True)
            if np.isfinite(similarity)
        ]
        for of_text, similar in zip(places, similarities.tolist(), strict=True)
    ]


def _comparable(run: RunFolder, saved: SavedModel, targets: Matrix) -> Rows:
    """Rows that may be neighbours: those that the model's regressor compares texts with."""
    known = np.flatnonzero(~np.isnan(targets))
    if saved.model not in MODELS:  # a blend
        return known
    rows = known[run.regressor(saved.model).compared_rows(targets[known])]
    if len(rows) < len(known) and saved.fitted.fold_wise:
        raise InputError(
            f"{saved.model} models of one bank a fold have anchors of their own in each fold: "
            "name another --model, or leave neighbours out with -k 0"
        )
    return rows
