"""A task: texts and targets, with groups and weights where there are any, checked once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.errors import InputError, MissingTexts
from features.keys import Text, digest, refuse_no_list, text_keys
from features.tables.labels import is_missing, label_of
from regress.compute.arrays import Matrix, Rows, numbered

#: How many row numbers an error lists.
LISTED = 10


class Kept(NamedTuple):
    """Which rows a task has, of those that were given."""

    rows: Rows
    """Their numbers, from 0, ascending."""
    n_given: int
    n_without_target: int
    n_without_weight: int

    def of(self, values: Sequence[Any]) -> list[Any]:
        """What stands in these rows."""
        return [values[row] for row in self.rows.tolist()]


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
        Shape (n_samples, n_targets), float64, each target with two values or more; NaN where a
        row has another target, but not this one.
    target_names
        n_targets names.
    ids, id_name
        What each row is called, and what such names are called.
    groups
        The group of each row, where groups were given.
    weights
        Shape (n_samples,), float64, positive, divided by their mean, where weights were given.
    kept
        Which rows these are, where some of those that were given have no target or no weight.
    """

    texts: Sequence[Text]
    keys: NDArray[np.uint8]
    Y: Matrix
    target_names: tuple[str, ...]
    ids: Sequence[object]
    id_name: str
    groups: Sequence[str] | None = None
    weights: Matrix | None = None
    kept: Kept | None = None

    def known(self, target: int) -> Rows:
        """Rows that have a target, ascending."""
        return np.flatnonzero(~np.isnan(self.Y[:, target]))

    def of_kept(self, values: Sequence[Any]) -> list[Any]:
        """What stands in the task's rows, of one value for each row that was given."""
        return list(values) if self.kept is None else self.kept.of(values)

    @contextmanager
    def as_given(self) -> Iterator[None]:
        """A `MissingTexts` names its rows as they were given."""
        try:
            yield
        except MissingTexts as error:
            if self.kept is None:
                raise
            raise error.among(self.kept.rows.tolist()) from None

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
        return numbered(self.groups)[1]

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
    groups: Sequence[object] | None = None,
    sample_weight: ArrayLike | None = None,
    skip_missing: bool = False,
    rows: Sequence[int] | None = None,
) -> Task:
    """Put together and check; errors name rows by the numbers in `rows`, or count from 1.

    Rows of weight 0 are left out, and with `skip_missing` those without any target.

    Raises
    ------
    InputError
        Nothing to fit, lengths that differ, targets that are not finite or do not vary, weights
        that are not finite or below 0, missing groups.
    """
    refuse_no_list(texts)
    texts = list(texts)  # a pandas series would be indexed by its labels
    n = len(texts)
    numbers = list(range(1, n + 1) if rows is None else rows)
    Y = _numbers(y, "targets", numbers)
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
    _refuse_no_numbers(Y, names, numbers, skip_missing)
    weights = None
    if sample_weight is not None:
        weights = _numbers(sample_weight, "sample weights", numbers).reshape(-1)
    kept = _kept(Y, weights, numbers)
    if kept is not None:
        Y, numbers, texts = Y[kept.rows], kept.of(numbers), kept.of(texts)
        weights = None if weights is None else weights[kept.rows]
        groups = None if groups is None else kept.of(list(groups))
    _refuse_constant(Y, names)
    if ids is None:
        ids, id_name = range(1, n + 1), "row"
    ids = list(ids)
    return Task(
        texts, text_keys(texts), Y, names, ids if kept is None else kept.of(ids), id_name,
        groups=None if groups is None else _checked_groups(groups, numbers),
        weights=None if weights is None else scaled_weights(weights), kept=kept,
    )  # fmt: skip


def kept_rows(Y: Matrix, weights: Matrix | None) -> NDArray[np.bool_]:
    """Shape (n_samples,): which rows are fitted and scored: with some target and some weight."""
    there = (~np.isnan(Y)).any(axis=1)
    return np.asarray(there if weights is None else there & (weights != 0), dtype=bool)


def _kept(Y: Matrix, weights: Matrix | None, rows: Sequence[int]) -> Kept | None:
    """Which rows are kept; None where all are. InputError for weights that are none."""
    kept, untargeted = kept_rows(Y, weights), np.isnan(Y).all(axis=1)
    if untargeted.all():
        raise InputError("no row has a target: name another column")
    if weights is not None:
        wrong = ~untargeted & ~(np.isfinite(weights) & (weights >= 0))
        if wrong.any():
            raise InputError(
                f"a sample weight has to be finite and 0 or above, and is "
                f"{weights[wrong.argmax()]:g} in {_listed(wrong, rows)}: mend the weights or drop "
                "the rows"
            )
    if not kept.any():
        raise InputError("all sample weights are 0: give some rows a weight above 0")
    if kept.all():
        return None
    n_untargeted = int(untargeted.sum())
    n_weightless = len(kept) - int(kept.sum()) - n_untargeted
    return Kept(np.flatnonzero(kept), len(kept), n_untargeted, n_weightless)


def _refuse_no_numbers(
    Y: Matrix, names: Sequence[str], rows: Sequence[int], skip_missing: bool
) -> None:
    """InputError where a target is no finite number, nor missing where it may be."""
    for name, values in zip(names, Y.T, strict=True):
        missing = np.isnan(values)
        wrong = np.isinf(values) if skip_missing else missing | np.isinf(values)
        if wrong.any():
            out = ", or leave missing ones out (skip_missing=True)" if missing[wrong].any() else ""
            raise InputError(
                f"target {name!r} is no finite number in {_listed(wrong, rows)}: mend or drop "
                f"them{out}"
            )
    Y[np.isnan(Y)] = np.nan  # of one bit pattern, which is hashed


def _refuse_constant(Y: Matrix, names: Sequence[str]) -> None:
    for name, values in zip(names, Y.T, strict=True):
        known = values[~np.isnan(values)]
        if not len(known):
            raise InputError(f"target {name!r} is missing in every row: name another column")
        if np.all(known == known[0]):
            raise InputError(
                f"target {name!r} has one distinct value ({known[0]:g}), which leaves nothing to "
                "predict: name another column"
            )


def _checked_groups(groups: Sequence[object], rows: Sequence[int]) -> list[str]:
    """Labels of the groups. A group that nobody knows could be any, on both sides of a fold."""
    groups = list(groups)
    absent = np.array([is_missing(group) for group in groups])
    if absent.any():
        raise InputError(
            f"the group is missing in {_listed(absent, rows)}: fill it in, or give such a row a "
            "group of its own"
        )
    return [label_of(group) for group in groups]


def _numbers(given: ArrayLike, what: str, rows: Sequence[int]) -> Matrix:
    """As float64, a copy; InputError with the first row that is none."""
    try:
        return np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        pass
    cells = np.atleast_1d(np.asarray(given, dtype=object))
    try:  # pandas' NA is no number for NumPy
        absent = np.vectorize(is_missing, otypes=[bool])(cells)
        return np.where(absent, np.nan, np.where(absent, 0.0, cells).astype(np.float64))
    except (TypeError, ValueError):
        pass
    for row, cell in zip(rows, cells, strict=False):
        for value in cell if isinstance(cell, (list, tuple, np.ndarray)) else [cell]:
            try:
                float(value)
            except (TypeError, ValueError):
                raise InputError(f"{what} are no numbers: row {row} has {value!r:.40}") from None
    raise InputError(f"{what} have rows of different lengths: give as many for each text")


def scaled_weights(weights: Matrix) -> Matrix:
    """Weights over their mean: only their ratios count, so that alpha and C keep their scale."""
    with np.errstate(over="ignore"):
        mean = float(np.mean(weights / weights.max())) * float(weights.max())
    scaled: Matrix = weights / mean
    if not (np.isfinite(scaled) & (scaled > 0)).all():
        raise InputError(
            f"the sample weights run from {weights.min():g} to {weights.max():g}, too far apart to "
            "be divided by their mean: limit them"
        )
    return scaled


def _listed(wrong: NDArray[np.bool_], rows: Sequence[int]) -> str:
    """Which rows are wrong, up to `LISTED` of them."""
    positions = np.flatnonzero(wrong)
    numbers = [int(rows[i]) for i in positions[:LISTED]]
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
