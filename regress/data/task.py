"""A task: texts and targets, with groups and weights where there are any, checked once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.columns import as_list, column_names
from features.errors import InputError, MissingTexts
from features.keys import Text, digest, text_keys
from features.tables.labels import label_of
from features.texts import TextsLike, as_text
from regress.compute.arrays import Matrix, Rows, numbered
from regress.data.given import NumbersLike, as_labels, as_numbers, listed, refuse_extreme


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
    texts: TextsLike,
    y: NumbersLike,
    *,
    target_names: Iterable[str] | None = None,
    ids: Iterable[object] | None = None,
    id_name: str = "id",
    groups: Iterable[object] | None = None,
    sample_weight: NumbersLike | None = None,
    skip_missing: bool = False,
    rows: Iterable[int] | None = None,
) -> Task:
    """Put together and check; errors name rows by the numbers in `rows`, or count from 1.

    Texts, targets and what stands beside them come in lists, arrays, series, frames, Arrow arrays
    or generators: see `features.as_texts` and `regress.data.given.as_numbers`. Rows of weight 0
    are left out, and with `skip_missing` those without any target.

    Raises
    ------
    InputError
        Nothing to fit, lengths that differ, targets that are not finite, do not vary or are too
        large to be squared, groups that are missing, weights that are not finite or below 0.
    """
    entries = as_list(texts, "texts")
    n = len(entries)
    numbers = [*range(1, n + 1)] if rows is None else [int(row) for row in as_list(rows, "rows")]
    Y = as_numbers(y, "targets", numbers)
    if Y.ndim not in (1, 2):
        raise InputError(f"targets have shape {Y.shape}: give a number, or several, for each text")
    Y = Y[:, None] if Y.ndim == 1 else Y
    if not Y.shape[1]:
        raise InputError("the frame of targets has no columns: give one at least")
    names = _target_names(_own_names(y) if target_names is None else target_names, Y.shape[1])
    named = [*range(1, n + 1)] if ids is None else as_list(ids, "ids")
    labels = None if groups is None else as_list(groups, "groups")
    weights = None
    if sample_weight is not None:
        weights = as_numbers(sample_weight, "sample weights", numbers).reshape(-1)
    for what, length in (
        ("targets", len(Y)),
        ("ids", len(named)),
        ("groups", n if labels is None else len(labels)),
        ("weights", n if weights is None else weights.size),
    ):
        if length != n:
            raise InputError(f"there are {n} texts and {length} {what}: give one for each text")
    if n == 0:
        raise InputError("there are no texts to fit a regressor on: give at least three")
    _refuse_no_numbers(Y, names, numbers, skip_missing)
    kept = _kept(Y, weights, numbers)
    places = range(n) if kept is None else kept.rows.tolist()
    checked = [as_text(entries[place], place + 1) for place in places]
    if kept is not None:
        Y, numbers, named = Y[kept.rows], kept.of(numbers), kept.of(named)
        weights = None if weights is None else weights[kept.rows]
        labels = None if labels is None else kept.of(labels)
    _refuse_unfit(Y, names)
    if labels is not None:
        labels = [label_of(label) for label in as_labels(labels, "groups", numbers)]
    return Task(
        checked, text_keys(checked), Y, names, named, "row" if ids is None else id_name,
        groups=labels, weights=None if weights is None else scaled_weights(weights), kept=kept,
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
                f"{weights[wrong.argmax()]:g} in {listed(wrong, rows)}: mend the weights or drop "
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
                f"target {name!r} is no finite number in {listed(wrong, rows)}: mend or drop "
                f"them{out}"
            )
    Y[np.isnan(Y)] = np.nan  # of one bit pattern, which is hashed


def _refuse_unfit(Y: Matrix, names: Sequence[str]) -> None:
    """InputError for a target that nothing can be fitted to."""
    for name, values in zip(names, Y.T, strict=True):
        known = values[~np.isnan(values)]
        if not len(known):
            raise InputError(f"target {name!r} is missing in every row: name another column")
        if np.all(known == known[0]):
            raise InputError(
                f"target {name!r} has one distinct value ({known[0]:g}), which leaves nothing to "
                "predict: name another column"
            )
        refuse_extreme(known, name)


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
