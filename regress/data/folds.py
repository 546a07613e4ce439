"""Which row is scored in which fold.

Folds are dealt to distinct texts, taken in the order of their keys: a text that occurs twice
always stands in one fold, and the folds do not depend on the order of the rows.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from features.columns import as_list
from features.errors import InputError
from features.tables.labels import MISSING, is_missing, label_of
from regress.compute.arrays import Matrix, Rows
from regress.data.dealing import deal, deal_by_size, joined_groups, target_strata
from regress.data.given import as_labels
from regress.data.task import Task

Scheme = Literal["stratified", "plain", "group"]
SCHEMES: tuple[str, ...] = get_args(Scheme)

#: Nested scores leave two folds out at once, so that a third must be left to train on.
MIN_FOLDS = 3


@dataclass(frozen=True, eq=False)
class Folds:
    """A split: one division of the rows into folds.

    Attributes
    ----------
    numbers
        Shape (n_samples,), int64: the fold of each row, 0 to ``n_folds - 1``.
    n_folds, scheme, seed
        How the folds were made.
    labels
        What the folds are called, where they were given.
    digest
        SHA-256, in hex, over the sorted keys of the distinct texts, each with its fold number.
        Two splits with one digest put every text into the same fold.
    """

    numbers: Rows
    n_folds: int
    scheme: str
    seed: int
    digest: str
    labels: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """What each row's fold is called, as it was given, or its number."""
        labels = self.labels or tuple(map(str, range(self.n_folds)))
        return [labels[number] for number in self.numbers]

    @property
    def short(self) -> str:
        """The first 12 digits of `digest`, to be shown beside a score."""
        return self.digest[:12]

    @property
    def n_train(self) -> int:
        """Rows of the smallest training set, since a nested score leaves two folds out at once."""
        return len(self) - int(np.sort(np.bincount(self.numbers))[-2:].sum())

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, folds: Sequence[int]) -> Rows:
        """Rows that stand in any of `folds`, ascending."""
        return np.flatnonzero(np.isin(self.numbers, list(folds)))


def all_folds(
    task: Task,
    folds: str | Iterable[object],
    cv: Any,
    seeds: Sequence[int],
    rows: Sequence[int] | None,
) -> list[Folds]:
    """The folds of every repeat; see `regress.experiment.evaluate`."""
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(
            f"repeats need different seeds, not {', '.join(map(str, seeds)) or 'none'}"
        )
    if isinstance(cv, bool) or not isinstance(cv, (int, np.integer)):
        raise InputError(
            f"cv is {cv!r:.80}, and has to be the number of folds: give cv=5, say, and as folds "
            f"how they are made ({', '.join(SCHEMES)}), or the fold of each row"
        )
    if not isinstance(folds, str) and (not isinstance(folds, Iterable) or hasattr(folds, "split")):
        raise InputError(
            f"folds says how they are made ({', '.join(SCHEMES)}) or which one each row is in, and "
            f"is {folds!r:.80}: give their number as cv"
        )
    if isinstance(folds, str):
        return [
            make_folds(
                task.keys, task.Y, n_folds=int(cv), scheme=folds, groups=task.groups, seed=seed
            )
            for seed in seeds
        ]
    if len(seeds) > 1:
        raise InputError("folds that are given stay as they are: give one seed")
    labels = as_list(folds, "folds")
    n = len(task.texts) if task.kept is None else task.kept.n_given
    if len(labels) != n:
        raise InputError(f"there are {n} texts and {len(labels)} folds: give one for each text")
    numbers = task.of_kept(range(1, n + 1) if rows is None else list(rows))
    return [given_folds(task.keys, task.of_kept(labels), rows=numbers)]


def several_seeds(random_state: int | Iterable[int]) -> list[int]:
    """One seed or several, as a list; NumPy's numbers become Python's."""
    several: Any = [random_state] if isinstance(random_state, Integral) else random_state
    try:
        return [operator.index(seed) for seed in several]
    except TypeError:
        raise InputError(
            f"random_state is {random_state!r:.80}, and has to be a seed or several: give a whole "
            "number, such as 0"
        ) from None


def make_folds(
    keys: NDArray[np.uint8],
    y: Matrix,
    *,
    n_folds: int = 5,
    scheme: str = "stratified",
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> Folds:
    """Divide rows into folds of nearly equal size.

    Parameters
    ----------
    keys
        Shape (n_samples, width), uint8: what identifies each text (`features.keys.text_keys`).
        Rows with equal keys share a fold.
    y
        Target, shape (n_samples,) or (n_samples, n_targets); of several, the first is stratified,
        and where that is missing (NaN), the next.
    n_folds
        At least 3.
    scheme
        ``"stratified"`` by deciles of the target, ``"plain"``, or ``"group"``: rows of one group
        share a fold (and so do groups that share a text).
    groups
        Group of each row; needed by ``"group"`` alone.
    seed
        Seeds the shuffling.

    Raises
    ------
    InputError
        Unknown scheme, too few folds, groups not given, or fewer distinct texts (or groups) than
        folds.
    """
    if scheme not in SCHEMES:
        raise InputError(f"folds are {', '.join(SCHEMES)}, not {scheme!r}")
    if n_folds < MIN_FOLDS:
        raise InputError(
            f"{n_folds} folds are too few: a nested score leaves two out and trains on the rest, "
            f"so ask for {MIN_FOLDS} or more"
        )
    distinct, which = _distinct(keys)
    rng = np.random.default_rng(seed)
    if scheme == "group":
        if groups is None:
            raise InputError(
                "group folds need to know the group of each row: give groups (--group COLUMN)"
            )
        unit = joined_groups(which, as_labels(groups, "groups"))
        n_units = int(unit.max()) + 1
        _check_enough(n_units, n_folds, f"{n_units} groups that share no text")
        numbers = deal_by_size(np.bincount(unit), n_folds, rng)[unit]
    else:
        what = f"{len(keys)} rows with {len(distinct)} distinct texts"
        _check_enough(len(distinct), n_folds, what)
        strata = np.zeros(len(distinct), dtype=np.int64)
        if scheme == "stratified":
            strata = _strata(which, np.asarray(y, dtype=np.float64).reshape(len(keys), -1))
        numbers = deal(strata, n_folds, rng)[which]
    return Folds(numbers, n_folds, scheme, seed, _digest(distinct, which, numbers))


def given_folds(
    keys: NDArray[np.uint8],
    labels: Sequence[object],
    *,
    rows: Sequence[int] | None = None,
) -> Folds:
    """Take folds as they are given, such as a saved file's; each distinct label is a fold.

    Folds are numbered by their labels in order, numbers by value.

    Parameters
    ----------
    keys
        As `make_folds`.
    labels
        The label of each row's fold.
    rows
        Row numbers to be named in errors; None to count from 1.

    Raises
    ------
    InputError
        A label is missing, there are fewer than 3 folds, or one text stands in two of them: each
        would be scored by a model that was trained on it, which flatters.
    """
    rows = range(1, len(keys) + 1) if rows is None else list(rows)
    if len(labels) != len(keys):
        raise InputError(
            f"there are {len(keys)} texts and {len(labels)} folds: give one for each text"
        )
    names = [label_of(label).strip() for label in labels]
    for row, label in zip(rows, labels, strict=True):
        if is_missing(label, MISSING):
            raise InputError(f"row {row} has no fold: fill it in, or leave the row out")
    distinct_names = sorted(set(names), key=_as_number)
    if len(distinct_names) < MIN_FOLDS:
        raise InputError(
            f"there is only fold {', '.join(distinct_names)}: a nested score leaves two out and "
            f"trains on the rest, so give {MIN_FOLDS} or more"
        )
    if len(distinct_names) > len(names) // 2:
        raise InputError(
            f"{len(names)} rows have {len(distinct_names)} different folds, such as "
            f"{', '.join(distinct_names[:3])}: name the column that holds fold numbers"
        )
    index = {name: i for i, name in enumerate(distinct_names)}
    numbers = np.array([index[name] for name in names], dtype=np.int64)
    distinct, which = _distinct(keys)
    first: dict[int, int] = {}
    for row, text in enumerate(which.tolist()):
        before = first.setdefault(text, row)
        if numbers[before] != numbers[row]:
            raise InputError(
                f"rows {rows[before]} and {rows[row]} hold the same text in folds "
                f"{names[before]} and {names[row]}, so that it would be scored by a model trained "
                "on it: give both one fold, or drop one"
            )
    digest = _digest(distinct, which, numbers)
    return Folds(numbers, len(index), "given", 0, digest, tuple(distinct_names))


def row_keys(X: NDArray[Any]) -> NDArray[np.uint8]:
    """Keys, shape (n_samples, 32), for rows that have no text: SHA-256 of each row's bytes."""
    digests = [hashlib.sha256(np.ascontiguousarray(row).tobytes()).digest() for row in X]
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), 32)


def _strata(which: Rows, Y: Matrix) -> Rows:
    """Stratum of each distinct text by its mean target: the first that it has."""
    strata = np.zeros(int(which.max()) + 1, dtype=np.int64)
    open_ones = np.ones(len(strata), dtype=bool)
    for y in Y.T:
        known = ~np.isnan(y)
        counts = np.bincount(which, known, len(strata))
        here = open_ones & (counts > 0)
        if here.any():
            sums = np.bincount(which, np.where(known, y, 0.0), len(strata))
            strata[here] = target_strata(sums[here] / counts[here]) + strata.max() + 1
            open_ones &= ~here
        if not open_ones.any():
            break
    return strata


def _check_enough(n_units: int, n_folds: int, what: str) -> None:
    if n_units < n_folds:
        raise InputError(f"{what} cannot be divided into {n_folds} folds: ask for fewer (--cv)")


def _as_number(label: str) -> tuple[float, str]:
    try:
        return float(label), label
    except ValueError:
        return float("inf"), label


def _distinct(keys: NDArray[np.uint8]) -> tuple[list[bytes], Rows]:
    """Distinct keys in ascending order, and the index of each row's key among them."""
    as_bytes = [bytes(key) for key in np.ascontiguousarray(keys)]
    distinct = sorted(set(as_bytes))
    index = {key: i for i, key in enumerate(distinct)}
    return distinct, np.array([index[key] for key in as_bytes], dtype=np.int64)


def _digest(distinct: list[bytes], which: Rows, numbers: Rows) -> str:
    """SHA-256 of each distinct key with its fold."""
    text_numbers = np.empty(len(distinct), dtype=np.int64)
    text_numbers[which] = numbers
    digest = hashlib.sha256()
    for key, fold in zip(distinct, text_numbers, strict=True):
        digest.update(key + int(fold).to_bytes(4, "little"))
    return digest.hexdigest()
