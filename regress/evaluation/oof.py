"""Columns of ``oof.csv``, the out-of-fold predictions: their names, of which no two may be one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from features.errors import InputError
from regress.compute.arrays import Matrix
from regress.data.folds import Folds
from regress.data.task import Task

#: Columns that are called so whatever the user calls theirs.
FOLD, WEIGHT = "fold", "weight"

#: What columns hold, as errors put it.
IDS, FOLDS, TARGET = "the ids", "the folds", "the target"
WEIGHTS, PREDICTIONS = "the sample weights", "predictions"


def labelled(label: str, target: str, targets: Sequence[str]) -> str:
    """What a result is called among those of all targets."""
    return f"{target}: {label}" if len(targets) > 1 else label


def seeded(column: str, seed: int) -> str:
    """What a column is called on a further split."""
    return f"{column} (seed {seed})"


def refuse_oof_names(task: Task, labels: Sequence[str], repeats: Sequence[Folds] = ()) -> None:
    """InputError where two columns of ``oof.csv`` would have one name.

    Parameters
    ----------
    labels
        What the results will be called, less their targets: ``"ridge mean[-1]"``, ``"auto"``.
    repeats
        Further splits.
    """
    targets = task.target_names
    results = [labelled(label, target, targets) for target in targets for label in labels]
    columns = [(task.id_name, IDS), (FOLD, FOLDS), *((name, TARGET) for name in targets)]
    columns += [(WEIGHT, WEIGHTS)] if task.weights is not None else []
    columns += [(name, PREDICTIONS) for name in results]
    for folds in repeats:
        columns.append((seeded(FOLD, folds.seed), FOLDS))
        columns += [(seeded(name, folds.seed), PREDICTIONS) for name in results]
    refuse_shared_names(columns)


def refuse_shared_names(columns: Iterable[tuple[str, str]]) -> None:
    """InputError where two of ``oof.csv``'s columns, each a name and what it holds, share one."""
    holds: dict[str, str] = {}
    for name, content in columns:
        if name in holds:
            pair = (content, holds[name])
            # Targets and ids are called what the user calls them; all else has its fixed name.
            given = next((own for own in (TARGET, IDS) if own in pair), content)
            raise InputError(
                f"{given} cannot be called {name!r}, as {pair[pair[0] == given]} are in oof.csv: "
                "give that column another name"
            )
        holds[name] = content


def as_numbers(cells: Sequence[str]) -> Matrix:
    """A column of numbers, shape (n_samples,), float64; NaN where a cell is empty.

    Raises
    ------
    ValueError
        A cell is no number.
    """
    return np.array([cell or "nan" for cell in cells], dtype=np.float64)


def as_cells(numbers: Matrix) -> list[float | None]:
    """Numbers as a CSV writer takes them; NaN is an empty cell."""
    return [None if number != number else number for number in numbers.tolist()]
