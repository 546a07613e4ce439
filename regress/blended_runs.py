"""Runs that are to be blended: their predictions, folds and banks, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError, RunError
from regress.run import Run


def read_oof(run: Run) -> dict[str, list[str]]:
    """Columns of a run's ``oof.csv``, as they are written."""
    import csv

    try:
        with (run.path / "oof.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise RunError(
            f"{run.path / 'oof.csv'} cannot be read ({error.strerror}), so the run is incomplete: "
            "copy the whole folder again, or repeat the run"
        ) from None
    return {name: list(column) for name, *column in zip(*rows, strict=True)}


def numbers_of_folds(run: Run, table: Mapping[str, Sequence[str]]) -> list[NDArray[np.int64]]:
    """Number of each row's fold, as the run numbers its folds, for each division into folds."""
    folds = run.description["folds"]
    names = folds["labels"] or [str(number) for number in range(folds["n_folds"])]
    number = {name: at for at, name in enumerate(names)}
    columns = ["fold", *(f"fold (seed {of['seed']})" for of in folds["repeats"])]
    return [np.array([number[name] for name in table[column]]) for column in columns]


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
