"""A run's folder: what its ``run.json`` says, and its files, each checked as it is read."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.disk.atomic import remedy
from features.disk.folders import new_folder, recover
from features.disk.system import read_file
from features.errors import LayerbankError, RunError
from features.keys import KEY_SIZE, digest
from features.tables.dialect import Dialect
from regress.compute.arrays import Matrix
from regress.compute.memory import available_memory
from regress.evaluation.oof import FOLD, WEIGHT, as_numbers, seeded
from regress.models.base import load_arrays
from regress.models.estimator import TunedRegressor
from regress.models.registry import MODELS

#: Files of a run's folder: what was run, out-of-fold predictions, and those inside outer folds.
MANIFEST, OOF, INNER = "run.json", "oof.csv", "inner.npz"

#: Keys of the training texts.
KEYS = "keys.npz"

#: What the report shows besides: see `regress.runs.report_file`.
REPORT_DATA = "report.json"

#: Banks of texts that were encoded to be predicted, where the run's own banks are gone.
SCRATCH = "scratch"


#: Integers among a regressor's parameters at the most, but for its seed: they count something.
LARGEST_PARAMETER = 10**7


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run's folder that was found whole.

    Attributes
    ----------
    path
        The folder.
    description
        What its ``run.json`` holds.
    written_here
        Whether this user wrote it on this machine: then what it says of places counts.
    """

    path: Path
    description: Mapping[str, Any]
    written_here: bool

    @property
    def banks(self) -> list[dict[str, Any]]:
        """What it was fitted on, each bank's name, path, fingerprint, source and setup."""
        return list(self.description["banks"])

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        return list(self.description["targets"])

    @property
    def made_by(self) -> str:
        """The command that made it: ``"regress"``, ``"sweep"`` or ``"blend"``."""
        return next((name for name in ("sweep", "blend") if name in self.description), "regress")

    def require_made_by(self, command: str) -> None:
        """RunError unless a command made it, which is to repeat it."""
        if self.made_by != command:
            raise RunError(
                f"{self.path} was made by `layerbank {self.made_by}`: repeat it with "
                f"`layerbank {self.made_by} --from {self.path}`"
            )

    def require_written_here(self, place: str, remedy: str) -> None:
        """RunError unless the run was written here, so that a place that it names is this one."""
        if not self.written_here:
            raise RunError(
                f"{self.path} was not made here, or not by you, so {place} that it names is left "
                f"alone: {remedy}"
            )

    @property
    def own_columns(self) -> list[str]:
        """Columns of its ``oof.csv``, without the ids and without a blend's members."""
        description, seeds = self.description, self.seeds
        results = [result["column"] for result in description["results"]]
        weighted = [WEIGHT] if description["texts"].get("weighted") else []
        return [
            *(FOLD, *self.targets, *weighted, *results),
            *(seeded(name, seed) for seed in seeds for name in (FOLD, *results)),
        ]

    @property
    def seeds(self) -> list[int]:
        """Seeds of the splits but the first."""
        return [split["seed"] for split in self.description["folds"]["repeats"]]

    def regressor(self, name: str) -> TunedRegressor:
        """The regressor of this name as it was set; RunError where it cannot be set so."""
        recorded = self.description["regressors"].get(name, {}).get("params", {})
        wrong = [
            key for key, value in recorded.items()
            if isinstance(value, int) and abs(value) > LARGEST_PARAMETER and key != "random_state"
        ]  # fmt: skip
        if name not in MODELS or wrong:
            why = f"regressors.{name} " + (f"has {wrong[0]} too large" if wrong else "is unknown")
            raise self._damaged(MANIFEST, why)
        try:
            regressor = MODELS[name](**recorded)
            regressor.settings()
        except (TypeError, ValueError, OverflowError, LayerbankError) as error:
            raise self._damaged(MANIFEST, f"regressors.{name}: {error}") from error
        return regressor

    def content(self, name: str) -> bytes:
        """A file of the folder; RunError where it is missing or not what was written."""
        recorded = self.description.get("sha256") or {}  # which runs of before lack
        return read_checked(self.path / name, recorded.get(name))

    def read_oof(self) -> dict[str, list[str]]:
        """Columns of ``oof.csv``, as they are written.

        Raises
        ------
        RunError
            It is missing, or not what the run wrote.
        """
        rows, own = self._oof_rows(), self.own_columns
        table = {name: list(column) for name, *column in zip(*rows, strict=True)}
        if lacking := [name for name in own if name not in table]:
            raise self._damaged(OOF, f"it has no column {lacking[0]!r}")
        names = [next(iter(table)), *own]
        if len(table) < len(rows[0]) or len({*names}) < len(names):
            raise self._damaged(OOF, "two of its columns have one name")
        self._refuse_no_numbers(table)
        return table

    def target_means(self) -> Matrix:
        """Mean of each target over the rows that were fitted, weighted as these; (n_targets,).

        Raises
        ------
        RunError
            ``oof.csv`` is missing, or not what the run wrote.
        """
        table = self.read_oof()
        weighted = self.description["texts"].get("weighted")
        weights = as_numbers(table[WEIGHT]) if weighted else np.ones(len(table[FOLD]))
        means = []
        for target in self.targets:
            y = as_numbers(table[target])
            known = ~np.isnan(y)
            means.append(np.average(y[known], weights=weights[known]))
        return np.array(means)

    def read_inner(self) -> dict[str, NDArray[np.float64]]:
        """Arrays of ``inner.npz``, shape (n_folds, n_samples); none where the run has none.

        Raises
        ------
        RunError
            It is missing, or not what the run wrote.
        """

        recorded = self.description.get("sha256")
        there = INNER in recorded if recorded else (self.path / INNER).exists()
        if not there:
            return {}
        content = self.content(INNER)
        try:
            arrays = load_arrays(io.BytesIO(content))
        except ValueError as error:
            raise self._damaged(INNER, str(error)) from None
        shape = (self.description["folds"]["n_folds"], self.description["texts"]["n"])
        for name, array in arrays.items():
            if array.shape != shape or array.dtype != np.float64:
                why = f"{name!r} is {array.dtype} of shape {array.shape}, not {shape}"
                raise self._damaged(INNER, why)
            if np.isinf(array).any():  # rows of the fold itself are NaN
                raise self._damaged(INNER, f"{name!r} holds infinite numbers")
        return arrays

    def training_keys(self) -> NDArray[np.uint8]:
        """Keys of the texts that it was trained on, (n_samples, 32); of older runs, no rows.

        Raises
        ------
        RunError
            They are missing, or not what the run wrote.
        """
        if KEYS not in (self.description.get("sha256") or {}):
            return np.empty((0, KEY_SIZE), np.uint8)
        try:
            keys = load_arrays(io.BytesIO(self.content(KEYS)))["keys"]
        except (KeyError, ValueError) as error:
            raise self._damaged(KEYS, str(error)) from None
        if keys.shape != (self.description["texts"]["n"], KEY_SIZE) or keys.dtype != np.uint8:
            raise self._damaged(KEYS, f"its keys are {keys.dtype} of shape {keys.shape}")
        if digest(keys) != self.description["texts"]["keys"]:
            raise self._damaged(KEYS, "its keys are of other texts")
        return keys

    def fold_numbers(self, table: Mapping[str, Sequence[str]]) -> list[NDArray[np.int64]]:
        """Number of each row's fold, from 0, for each split; of what `read_oof` gave."""
        folds = self.description["folds"]
        names = folds["labels"] or [str(number) for number in range(folds["n_folds"])]
        number = {name: place for place, name in enumerate(names)}
        columns = [FOLD, *(seeded(FOLD, seed) for seed in self.seeds)]
        try:
            found = [np.array([number[name] for name in table[column]]) for column in columns]
        except KeyError as error:
            raise self._damaged(OOF, f"it has no fold {error}") from None
        for numbers in found:
            if len({*numbers.tolist()}) < len(names):
                raise self._damaged(OOF, "a fold has no rows")
        return found

    def _oof_rows(self) -> list[list[str]]:
        """Rows of ``oof.csv`` under its header, one a text and all of one length."""
        content, n_rows = self.content(OOF), self.description["texts"]["n"]
        try:
            rows = list(Dialect(",", "double").reader(io.StringIO(content.decode(), newline="")))
        except (csv.Error, ValueError) as error:
            raise self._damaged(OOF, str(error)) from None
        if len(rows) != n_rows + 1:
            raise self._damaged(OOF, f"it has {len(rows[1:])} rows and not {n_rows}")
        width = len(rows[0])
        for number, row in enumerate(rows):
            if len(row) != width:
                raise self._damaged(OOF, f"row {number} has {len(row)} cells and not {width}")
        return rows

    def _refuse_no_numbers(self, table: Mapping[str, Sequence[str]]) -> None:
        """RunError unless a table's own columns but ids and folds are numbers, and all there.

        Where rows lack a target, exactly so many do, and predictions are there for the others.
        """
        known = {name: self._known(name, table[name]) for name in self.targets}
        if "n_with_target" in self.description["texts"]:
            n_folds = self.description["folds"]["n_folds"]
            for numbers in self.fold_numbers(table):
                if any(len({*numbers[rows].tolist()}) < n_folds for rows in known.values()):
                    raise self._damaged(OOF, "a fold has no rows with some target")
        of_results = {
            name: known[result["target"]]
            for result in self.description["results"]
            for name in (result["column"], *(seeded(result["column"], s) for s in self.seeds))
        }
        folds = {FOLD, *(seeded(FOLD, seed) for seed in self.seeds)}
        for name in self.own_columns:
            if name in folds or name in known:
                continue
            there = _finite(table[name])
            if name in of_results and there is not None:
                right = np.array_equal(there, of_results[name])
            else:
                right = there is not None and bool(there.all())
            if not right:
                raise self._damaged(OOF, f"its column {name!r} holds more than finite numbers")

    def _known(self, target: str, cells: Sequence[str]) -> NDArray[np.bool_]:
        """Which rows have a target."""
        counts = self.description["texts"].get("n_with_target", {})
        there = _finite(cells)
        if there is None or there.sum() != counts.get(target, len(cells)):
            raise self._damaged(OOF, f"its column {target!r} holds more than finite numbers")
        return there

    def _damaged(self, name: str, why: str) -> RunError:
        return damaged(self.path / name, why)


def _finite(cells: Sequence[str]) -> NDArray[np.bool_] | None:
    """Which cells are numbers, where all others are empty; None where one is anything else."""
    try:
        numbers = as_numbers(cells)
    except ValueError:
        return None
    there = np.isfinite(numbers)
    filled = np.array([cell != "" for cell in cells])
    return there if np.array_equal(there, filled) else None


@contextlib.contextmanager
def new_run(path: Path) -> Iterator[Path]:
    """A folder that becomes the run `path` when all has been written into it.

    What was encoded into a run that it replaces stays.

    Raises
    ------
    RunError
        It cannot be written; a run that was there is intact.
    """
    try:
        with new_folder(path, keep=SCRATCH) as folder:
            yield folder
    except OSError as error:
        raise RunError(
            f"could not write the run {path} ({error}): {remedy(error)}, and try again"
        ) from error


def recover_run(path: Path) -> None:
    """Put a run back that was about to be replaced when a process died.

    Raises
    ------
    RunError
        It is there under another name, which cannot be changed.
    """
    try:
        recover(path)
    except OSError as error:
        raise RunError(
            f"{path} was about to be replaced, and stands beside its place "
            f"({error}): rename it, or copy it to where names can be changed"
        ) from error


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256, in hex, of each file that is read again, but the models, which have their own."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in (OOF, INNER, KEYS, REPORT_DATA)
        if (folder / name).exists()
    }


def damaged(file: Path, why: object) -> RunError:
    """What is said of a file that holds something else than it should."""
    return RunError(f"{file} is damaged ({why}): copy the run again, or repeat it")


def read_checked(path: Path, sha256: str | None) -> bytes:
    """A file's bytes; RunError unless they hash to `sha256`, where that was recorded."""
    try:
        size = path.stat().st_size
        if size > (free := available_memory()):
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, and {free:,} of memory are free")
        data = read_file(path, at_most=size)
    except OSError as error:
        raise RunError(
            f"{path} cannot be read ({error.strerror}), so the run is incomplete: copy the whole "
            "folder again, or repeat the run"
        ) from None
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise RunError(f"{path} is not the file that the run wrote: repeat the run")
    return data
