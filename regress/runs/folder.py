"""A finished run: what it was fitted on, how it scored, and its models."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.typing import NDArray

from features.disk.atomic import new_folder
from features.errors import RunError
from features.tables.readers import csv_reader
from regress.evaluation.results import FOLD, WEIGHT, seeded
from regress.models.base import load_arrays

if TYPE_CHECKING:
    import pandas as pd


MANIFEST = "run.json"


OOF, INNER = "oof.csv", "inner.npz"


#: Banks of texts that were encoded to be predicted, where the run's own banks are gone.
SCRATCH = "scratch"


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run's folder, its ``run.json`` and its files, each checked as it is read."""

    path: Path
    description: Mapping[str, Any]

    @property
    def banks(self) -> list[dict[str, Any]]:
        """What it was fitted on, each bank's name, path, fingerprint, source and setup."""
        return list(self.description["banks"])

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        return list(self.description["targets"])

    def content(self, name: str) -> bytes:
        """A file of the folder; RunError where it is missing or not what was written."""
        recorded = self.description.get("sha256") or {}  # which runs of before lack
        return _content(self.path / name, recorded.get(name))


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
            f"could not write the run {path} ({error}): make room and try again"
        ) from error


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256, in hex, of each file that blends read, beside the models, which have their own."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in (OOF, INNER)
        if (folder / name).exists()
    }


class _Lines:
    r"""Takes lines that end in ``\r\n`` from a csv writer, and ends them in ``\n``.

    Up to Python 3.12 the writer quotes no other ends of lines than its own: with ``\n`` alone, a
    cell that holds a bare ``\r`` would be read as two rows.
    """

    END = "\r\n"

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> int:
        return self._file.write(line.removesuffix(self.END) + "\n")


def write_rows(file: TextIO, rows: Iterable[Sequence[object]]) -> None:
    """Write CSV; cells are quoted where they have to be, which those with any end of line have."""
    csv.writer(_Lines(file), lineterminator=_Lines.END).writerows(rows)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, quoted as in `write_rows`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines: Any = _Lines(file)  # pandas does nothing but write to it
        frame.to_csv(lines, index=False, lineterminator=_Lines.END)


def read_oof(run: RunFolder) -> dict[str, list[str]]:
    """Columns of a run's ``oof.csv``, as they are written.

    Raises
    ------
    RunError
        It is missing, or not what the run wrote.
    """
    rows, own = _rows(run), own_columns(run)
    table = {name: list(column) for name, *column in zip(*rows, strict=True)}
    if lacking := [name for name in own if name not in table]:
        raise _damaged(run.path / OOF, f"it has no column {lacking[0]!r}")
    names = [next(iter(table)), *own]
    if len(table) < len(rows[0]) or len({*names}) < len(names):
        raise _damaged(run.path / OOF, "two of its columns have one name")
    if not run.description.get("sha256"):  # as in runs of before
        _refuse_no_numbers(run, table)
    return table


def _rows(run: RunFolder) -> list[list[str]]:
    """Rows of a run's ``oof.csv`` under its header, one a text and all of one length."""
    content, n_rows = run.content(OOF), run.description["texts"]["n"]
    try:
        rows = list(csv_reader(io.StringIO(content.decode(), newline="")))
    except (csv.Error, ValueError) as error:
        raise _damaged(run.path / OOF, str(error)) from None
    if len(rows) != n_rows + 1:
        raise _damaged(run.path / OOF, f"it has {len(rows[1:])} rows and not {n_rows}")
    width = len(rows[0])
    for number, row in enumerate(rows):
        if len(row) != width:
            raise _damaged(run.path / OOF, f"row {number} has {len(row)} cells and not {width}")
    return rows


def own_columns(run: RunFolder) -> list[str]:
    """The columns of a run's ``oof.csv`` but its ids, and but what a blend adds of its members."""
    description = run.description
    seeds = [of["seed"] for of in description["folds"]["repeats"]]
    results = [result["column"] for result in description["results"]]
    weighted = [WEIGHT] if description["texts"].get("weighted") else []
    return [
        *(FOLD, *run.targets, *weighted, *results),
        *(seeded(name, seed) for seed in seeds for name in (FOLD, *results)),
    ]


def _refuse_no_numbers(run: RunFolder, table: Mapping[str, Sequence[str]]) -> None:
    """RunError unless all of a table's own columns are numbers but ids and folds."""
    folds = {FOLD, *(seeded(FOLD, of["seed"]) for of in run.description["folds"]["repeats"])}
    for name in own_columns(run):
        if name in folds:
            continue
        try:
            finite = bool(np.isfinite(np.array(table[name], dtype=np.float64)).all())
        except ValueError:
            finite = False
        if not finite:
            raise _damaged(run.path / OOF, f"its column {name!r} holds more than finite numbers")


def read_inner(run: RunFolder) -> dict[str, NDArray[np.float64]]:
    """Arrays of a run's ``inner.npz``, shape (n_folds, n_samples); none where the run has none.

    Raises
    ------
    RunError
        It is missing, or not what the run wrote.
    """
    recorded = run.description.get("sha256")
    there = INNER in recorded if recorded else (run.path / INNER).exists()
    if not there:
        return {}
    content = run.content(INNER)
    try:
        arrays = load_arrays(io.BytesIO(content))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(run.path / INNER, str(error)) from None
    shape = (run.description["folds"]["n_folds"], run.description["texts"]["n"])
    for name, array in arrays.items():
        if array.shape != shape or array.dtype != np.float64:
            raise _damaged(
                run.path / INNER, f"{name!r} is {array.dtype} of shape {array.shape}, not {shape}"
            )
    return arrays


def _damaged(path: Path, why: str) -> RunError:
    return RunError(f"{path} is damaged ({why}): copy the run again, or repeat it")


def numbers_of_folds(run: RunFolder, table: Mapping[str, Sequence[str]]) -> list[NDArray[np.int64]]:
    """Number of each row's fold, as the run numbers its folds, for each division into folds."""
    folds = run.description["folds"]
    names = folds["labels"] or [str(number) for number in range(folds["n_folds"])]
    number = {name: at for at, name in enumerate(names)}
    columns = [FOLD, *(seeded(FOLD, of["seed"]) for of in folds["repeats"])]
    try:
        return [np.array([number[name] for name in table[column]]) for column in columns]
    except KeyError as error:
        raise _damaged(run.path / OOF, f"it has no fold {error}") from None


def _content(path: Path, sha256: str | None) -> bytes:
    """A file's bytes; RunError unless they hash to `sha256`, where that was recorded."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(
            f"{path} cannot be read ({error.strerror}), so the run is incomplete: copy the whole "
            "folder again, or repeat the run"
        ) from None
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise RunError(f"{path} is not the file that the run wrote: repeat the run")
    return data
