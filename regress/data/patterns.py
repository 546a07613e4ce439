"""A task in parts: targets that the same rows have are fitted together, on these rows alone.

So they share what costs most, the factorisation of each training set, and each target has the
numbers that it would have by itself, on the same folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from features.errors import InputError
from regress.compute.arrays import Rows, weights_of
from regress.data.folds import Folds
from regress.data.task import Kept, Task, scaled_weights


class TaskPart(NamedTuple):
    """Some targets of a task, and the rows that have them."""

    task: Task
    """Of these rows and targets, without a gap."""
    splits: Sequence[Folds]
    rows: Rows | None
    """Their numbers in the whole task, ascending; None for all."""


def task_parts(task: Task, splits: Sequence[Folds]) -> list[TaskPart]:
    """The parts of a task, in the order of their first targets; one where no target is missing.

    Raises
    ------
    InputError
        A fold has no row with some target.
    """
    if not np.isnan(task.Y).any():
        return [TaskPart(task, splits, None)]
    patterns: dict[bytes, list[int]] = {}
    for target in range(len(task.target_names)):
        patterns.setdefault(task.known(target).tobytes(), []).append(target)
    return [task_part(task, splits, targets) for targets in patterns.values()]


def task_part(task: Task, splits: Sequence[Folds], targets: Sequence[int]) -> TaskPart:
    """Targets that the same rows have."""
    rows = task.known(targets[0])
    weights = weights_of(task.weights, rows)
    if weights is not None and len(rows) < len(task.texts):
        weights = scaled_weights(weights)
    given = rows if task.kept is None else task.kept.rows[rows]
    part = Task(
        texts=[task.texts[row] for row in rows.tolist()],
        keys=task.keys[rows],
        Y=np.ascontiguousarray(task.Y[rows][:, targets]),
        target_names=tuple(task.target_names[target] for target in targets),
        ids=[task.ids[row] for row in rows.tolist()],
        id_name=task.id_name,
        groups=None if task.groups is None else [task.groups[row] for row in rows.tolist()],
        weights=weights,
        kept=Kept(given, 0, 0, 0),
    )
    own = [_folds_of(folds, rows, part) for folds in splits]
    return TaskPart(part, own, None if len(rows) == len(task.texts) else rows)


def _folds_of(folds: Folds, rows: Rows, part: Task) -> Folds:
    """The same folds of some rows; InputError where one has none of them."""
    numbers = folds.numbers[rows]
    if len(there := np.unique(numbers)) < folds.n_folds:
        raise InputError(
            f"the target {part.target_names[0]!r} has values in {len(there)} of {folds.n_folds} "
            "folds alone: ask for fewer folds, other ones, or leave this target out"
        )
    return replace(folds, numbers=numbers)
