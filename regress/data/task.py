"""A task: texts and targets, with groups and weights where there are any, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.errors import InputError
from features.keys import Text, digest, refuse_no_list, text_keys
from regress.compute.arrays import Matrix, Rows

#: How many row numbers an error lists.
LISTED = 10


@dataclass(frozen=True, eq=False)
class Task:
    """What is regressed on what; `checked_task` makes one.

    Attributes
    ----------
    texts
        n_samples texts.
    keys
        Shape (n_samples, 32), uint8: their keys.
    Y
        Shape (n_samples, n_targets), float64, finite, each target with two values or more.
    target_names
        n_targets names.
    ids, id_name
        What each row is called, and what such names are called.
    groups
        The group of each row, where groups were given.
    weights
        Shape (n_samples,), float64, positive, divided by their mean, where weights were given.
    """

    texts: Sequence[Text]
    keys: NDArray[np.uint8]
    Y: Matrix
    target_names: tuple[str, ...]
    ids: Sequence[object]
    id_name: str
    groups: Sequence[str] | None = None
    weights: Matrix | None = None

    @property
    def text_numbers(self) -> Rows:
        """Shape (n_samples,): a number of each row's text, the same for equal texts."""
        numbers = np.unique(self.keys, axis=0, return_inverse=True)[1]
        return numbers.reshape(-1).astype(np.int64)

    @property
    def drawn_together(self) -> Rows:
        """Shape (n_samples,): number of each row's group or text, which a resample draws as one."""
        if self.groups is None:
            return self.text_numbers
        return np.unique(np.asarray(self.groups, dtype=str), return_inverse=True)[1]

    @property
    def keys_digest(self) -> str:
        """SHA-256, in hex, over the texts' keys in the order of the rows."""
        return digest(self.keys)

    @property
    def targets_digest(self) -> str:
        """SHA-256, in hex, over the targets and weights in the order of the rows."""
        return digest(self.Y) if self.weights is None else digest(self.Y, self.weights)


def checked_task(
    texts: Sequence[Text],
    y: ArrayLike,
    *,
    target_names: Sequence[str] | None = None,
    ids: Sequence[object] | None = None,
    id_name: str = "id",
    groups: Sequence[str] | None = None,
    sample_weight: ArrayLike | None = None,
    rows: Sequence[int] | None = None,
) -> Task:
    """Put together and check; errors name rows by the numbers in `rows`, or count from 1.

    Raises
    ------
    InputError
        Nothing to fit, lengths that differ, targets that are not finite or do not vary, weights
        that are not finite and above 0.
    """
    refuse_no_list(texts)
    texts = list(texts)  # a pandas series would be indexed by its labels
    rows = None if rows is None else list(rows)
    n = len(texts)
    Y = _numbers(y, "targets", rows)
    if Y.ndim not in (1, 2):
        raise InputError(f"targets have shape {Y.shape}: give a number, or several, for each text")
    Y = Y[:, None] if Y.ndim == 1 else Y
    names = _target_names(_own_names(y) if target_names is None else target_names, Y.shape[1])
    for what, length in (
        ("targets", len(Y)),
        ("ids", n if ids is None else len(ids)),
        ("groups", n if groups is None else len(groups)),
        ("weights", n if sample_weight is None else np.size(sample_weight)),
    ):
        if length != n:
            raise InputError(f"there are {n} texts and {length} {what}: give one for each text")
    if n == 0:
        raise InputError("there are no texts to fit a regressor on: give at least three")
    for name, values in zip(names, Y.T, strict=True):
        wrong = ~np.isfinite(values)
        if wrong.any():
            raise InputError(
                f"target {name!r} is no finite number in {_listed(wrong, rows)}: mend or drop them"
            )
        if np.all(values == values[0]):
            raise InputError(
                f"target {name!r} has one distinct value ({values[0]:g}), which leaves nothing to "
                "predict: name another column"
            )
    weights = None if sample_weight is None else _checked_weights(sample_weight, rows)
    if ids is None:
        ids, id_name = range(1, n + 1), "row"
    groups = None if groups is None else list(groups)
    return Task(texts, text_keys(texts), Y, names, list(ids), id_name, groups, weights)


def _numbers(given: ArrayLike, what: str, rows: Sequence[int] | None) -> Matrix:
    """As float64; InputError with the first row that is none."""
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        pass
    cells = np.atleast_1d(np.asarray(given, dtype=object))
    for row, cell in zip(range(1, len(cells) + 1) if rows is None else rows, cells, strict=False):
        for value in cell if isinstance(cell, (list, tuple, np.ndarray)) else [cell]:
            try:
                float(value)
            except (TypeError, ValueError):
                raise InputError(f"{what} are no numbers: row {row} has {value!r:.40}") from None
    raise InputError(f"{what} have rows of different lengths: give as many for each text")


def _checked_weights(given: ArrayLike, rows: Sequence[int] | None) -> Matrix:
    """Weights over their mean: only their ratios count, so that alpha and C keep their scale."""
    weights = _numbers(given, "sample weights", rows).reshape(-1)
    wrong = ~(np.isfinite(weights) & (weights > 0))
    if wrong.any():
        first = weights[wrong.argmax()]
        raise InputError(
            f"a sample weight has to be finite and above 0, and is {first:g} in "
            f"{_listed(wrong, rows)}: mend the weights or drop the rows"
        )
    with np.errstate(over="ignore"):
        mean = float(np.mean(weights / weights.max())) * float(weights.max())
    scaled: Matrix = weights / mean
    if not (np.isfinite(scaled) & (scaled > 0)).all():
        raise InputError(
            f"the sample weights run from {weights.min():g} to {weights.max():g}, too far apart to "
            "be divided by their mean: limit them"
        )
    return scaled


def _listed(wrong: NDArray[np.bool_], rows: Sequence[int] | None) -> str:
    """Which rows are wrong, up to `LISTED` of them."""
    positions = np.flatnonzero(wrong)
    numbers = [int(i) + 1 if rows is None else int(rows[i]) for i in positions[:LISTED]]
    more = f" and {len(positions) - LISTED} more" if len(positions) > LISTED else ""
    return f"row {', '.join(map(str, numbers))}{more}"


def _own_names(y: ArrayLike) -> list[str] | None:
    """Names that a data frame's columns or a series bring along, where they are strings."""
    names = getattr(y, "columns", None)
    if names is None:
        names = [getattr(y, "name", None)]
    named = list(names)
    return named if named and all(isinstance(name, str) for name in named) else None


def _target_names(given: Sequence[str] | None, n_targets: int) -> tuple[str, ...]:
    if given is None:
        numbered = tuple(f"target_{i}" for i in range(1, n_targets + 1))
        return ("target",) if n_targets == 1 else numbered
    names = tuple(given)
    if len(names) != n_targets or len(set(names)) != n_targets:
        raise InputError(
            f"{n_targets} targets need as many different names, not {', '.join(names) or 'none'}"
        )
    return names
