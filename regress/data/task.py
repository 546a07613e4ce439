"""A task: texts and targets, with groups and weights where there are any, checked once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.columns import as_list, column_names
from features.errors import InputError
from features.keys import Text, digest, text_keys
from features.texts import TextsLike, as_texts
from regress.compute.arrays import Matrix, Rows
from regress.data.given import NumbersLike, as_labels, as_numbers, listed, refuse_extreme


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
    texts: TextsLike,
    y: NumbersLike,
    *,
    target_names: Iterable[str] | None = None,
    ids: Iterable[object] | None = None,
    id_name: str = "id",
    groups: Iterable[object] | None = None,
    sample_weight: NumbersLike | None = None,
    rows: Iterable[int] | None = None,
) -> Task:
    """Put together and check; errors name rows by the numbers in `rows`, or count from 1.

    Texts, targets and what stands beside them come in lists, arrays, series, frames, Arrow arrays
    or generators: see `features.as_texts` and `regress.data.given.as_numbers`.

    Raises
    ------
    InputError
        Nothing to fit, lengths that differ, targets that are not finite, do not vary or are too
        large to be squared, groups that are missing, weights that are not finite and above 0.
    """
    texts = as_texts(texts)
    n = len(texts)
    rows = None if rows is None else [int(row) for row in as_list(rows, "rows")]
    Y = as_numbers(y, "targets", rows)
    if Y.ndim not in (1, 2):
        raise InputError(f"targets have shape {Y.shape}: give a number, or several, for each text")
    Y = Y[:, None] if Y.ndim == 1 else Y
    if not Y.shape[1]:
        raise InputError("the frame of targets has no columns: give one at least")
    names = _target_names(_own_names(y) if target_names is None else target_names, Y.shape[1])
    named = [*range(1, n + 1)] if ids is None else as_list(ids, "ids")
    labels = None if groups is None else as_labels(groups, "groups", rows)
    given = None if sample_weight is None else as_numbers(sample_weight, "sample weights", rows)
    for what, length in (
        ("targets", len(Y)),
        ("ids", len(named)),
        ("groups", n if labels is None else len(labels)),
        ("weights", n if given is None else given.size),
    ):
        if length != n:
            raise InputError(f"there are {n} texts and {length} {what}: give one for each text")
    if n == 0:
        raise InputError("there are no texts to fit a regressor on: give at least three")
    for name, values in zip(names, Y.T, strict=True):
        _refuse_unfit(name, values, rows)
    weights = None if given is None else _checked_weights(given.reshape(-1), rows)
    id_name = "row" if ids is None else id_name
    return Task(texts, text_keys(texts), Y, names, named, id_name, labels, weights)


def _refuse_unfit(name: str, values: Matrix, rows: Sequence[int] | None) -> None:
    """InputError for a target that nothing can be fitted to."""
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise InputError(
            f"target {name!r} is no finite number in {listed(wrong, rows)}: mend or drop them"
        )
    if np.all(values == values[0]):
        raise InputError(
            f"target {name!r} has one distinct value ({values[0]:g}), which leaves nothing to "
            "predict: name another column"
        )
    refuse_extreme(values, name)


def _checked_weights(weights: Matrix, rows: Sequence[int] | None) -> Matrix:
    """Weights over their mean: only their ratios count, so that alpha and C keep their scale."""
    wrong = ~(np.isfinite(weights) & (weights > 0))
    if wrong.any():
        first = weights[wrong.argmax()]
        raise InputError(
            f"a sample weight has to be finite and above 0, and is {first:g} in "
            f"{listed(wrong, rows)}: mend the weights or drop the rows"
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


def _own_names(y: object) -> list[str] | None:
    """Names that a frame's columns or a series bring along, where they are strings."""
    named = column_names(y)
    names: list[Any] = [getattr(y, "name", None)] if named is None else named
    return names if names and all(isinstance(name, str) for name in names) else None


def _target_names(given: Iterable[str] | None, n_targets: int) -> tuple[str, ...]:
    if given is None:
        numbered = tuple(f"target_{i}" for i in range(1, n_targets + 1))
        return ("target",) if n_targets == 1 else numbered
    names = (given,) if isinstance(given, str) else tuple(given)
    if len(names) != n_targets or len(set(names)) != n_targets:
        raise InputError(
            f"{n_targets} targets need as many different names, not {', '.join(names) or 'none'}"
        )
    return names
