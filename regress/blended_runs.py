"""Runs that are to be blended: their predictions, folds and banks, and whether they agree."""

from __future__ import annotations

import csv
import io
import sys
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError, RunError
from regress.model import load_arrays
from regress.persistence import INNER, OOF
from regress.results import FOLD, WEIGHT, seeded
from regress.run import Run


def read_oof(run: Run) -> dict[str, list[str]]:
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


def _rows(run: Run) -> list[list[str]]:
    """Rows of a run's ``oof.csv`` under its header, one a text and all of one length."""
    content, n_rows = run.content(OOF), run.description["texts"]["n"]
    try:
        csv.field_size_limit(sys.maxsize)
        rows = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
    except (csv.Error, ValueError) as error:
        raise _damaged(run.path / OOF, str(error)) from None
    if len(rows) != n_rows + 1:
        raise _damaged(run.path / OOF, f"it has {len(rows[1:])} rows and not {n_rows}")
    width = len(rows[0])
    for number, row in enumerate(rows):
        if len(row) != width:
            raise _damaged(run.path / OOF, f"row {number} has {len(row)} cells and not {width}")
    return rows


def own_columns(run: Run) -> list[str]:
    """The columns of a run's ``oof.csv`` but its ids, and but what a blend adds of its members."""
    description = run.description
    seeds = [of["seed"] for of in description["folds"]["repeats"]]
    results = [result["column"] for result in description["results"]]
    weighted = [WEIGHT] if description["texts"].get("weighted") else []
    return [
        *(FOLD, *run.targets, *weighted, *results),
        *(seeded(name, seed) for seed in seeds for name in (FOLD, *results)),
    ]


def _refuse_no_numbers(run: Run, table: Mapping[str, Sequence[str]]) -> None:
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


def read_inner(run: Run) -> dict[str, NDArray[np.float64]]:
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


def names_of(runs: Sequence[Run]) -> list[str]:
    """What the runs' folders are called, with as many folders above them as tell them apart."""
    depth = 1
    parts = [run.path.parts for run in runs]
    while len({of[-depth:] for of in parts}) < len({*parts}):
        depth += 1
    short = [of[-1] for of in parts]
    return [
        name if short.count(name) == 1 else "/".join(of[-depth:])
        for name, of in zip(short, parts, strict=True)
    ]


def numbers_of_folds(run: Run, table: Mapping[str, Sequence[str]]) -> list[NDArray[np.int64]]:
    """Number of each row's fold, as the run numbers its folds, for each division into folds."""
    folds = run.description["folds"]
    names = folds["labels"] or [str(number) for number in range(folds["n_folds"])]
    number = {name: at for at, name in enumerate(names)}
    columns = [FOLD, *(seeded(FOLD, of["seed"]) for of in folds["repeats"])]
    try:
        return [np.array([number[name] for name in table[column]]) for column in columns]
    except KeyError as error:
        raise _damaged(run.path / OOF, f"it has no fold {error}") from None


def refuse_other(first: Run, other: Run) -> None:
    """InputError unless two runs have the same texts, targets, weights and folds."""
    runs = (first, other)
    for what, one, two in (
        ("texts", first.description["texts"]["keys"], other.description["texts"]["keys"]),
        ("targets", first.targets, other.targets),
        ("target values or weights", *(of.description["texts"]["targets"] for of in runs)),
        ("folds", *(_hashes(of) for of in runs)),
    ):
        if one != two:
            told = f" ({one} and {two})" if what == "folds" else ""
            raise InputError(
                f"{first.path} and {other.path} have different {what}{told}, so their out-of-fold "
                "predictions cannot be blended: repeat one like the other"
            )


def _hashes(run: Run) -> str:
    """The beginning of the hash of each division into folds."""
    folds = run.description["folds"]
    return ", ".join(of["hash"][:12] for of in (folds, *folds["repeats"]))


def merged_banks(runs: Sequence[Run]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The runs' banks, each once and under a name of its own; and each run's names for them."""
    merged: dict[str, dict[str, Any]] = {}
    names: list[dict[str, str]] = []
    for run in runs:
        renamed = {}
        for bank in run.banks:
            if bank["fingerprint"] not in merged:
                taken, name = {of["name"] for of in merged.values()}, bank["name"]
                number = 2
                while name in taken:
                    name, number = f"{bank['name']}-{number}", number + 1
                merged[bank["fingerprint"]] = {**bank, "name": name}
            renamed[bank["name"]] = merged[bank["fingerprint"]]["name"]
        names.append(renamed)
    return list(merged.values()), names
