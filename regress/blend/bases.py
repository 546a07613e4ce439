"""What the runs bring into a blend: their models and out-of-fold predictions, and their banks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from features.selection import ResolvedTerm
from regress.compute.arrays import Matrix
from regress.evaluation.oof import as_numbers, seeded
from regress.runs.compare import refuse_other, run_names
from regress.runs.folder import INNER, damaged
from regress.runs.run import Run
from regress.runs.saved_model import SavedModel


@dataclass(frozen=True, eq=False)
class BlendBase:
    """One model of one run, and its nested out-of-fold predictions.

    Attributes
    ----------
    name
        The run's folder and the model's column, ``sweep: auto svr``; each of a blend has its own.
    saved, recorded
        The model, and what its run says of it.
    terms
        Its blocks, with banks by the names they have in the blend.
    predictions
        Shape (n_samples,), for each split into folds; NaN where a row lacks the target.
    inner
        Shape (n_folds, n_samples), likewise, where the run has it: see
        `regress.sweep.choice.SplitSearch.inner_predictions`.
    """

    name: str
    saved: SavedModel
    recorded: Mapping[str, Any]
    terms: tuple[ResolvedTerm, ...]
    predictions: Sequence[Matrix]
    inner: Sequence[Matrix] | None


class BlendRun(NamedTuple):
    """A run in a blend.

    Attributes
    ----------
    name
        What it is called there.
    table
        Columns of its ``oof.csv``.
    inner
        Arrays of its ``inner.npz``; none where it has no such file.
    bank_names
        What its banks are called in the blend.
    """

    run: Run
    name: str
    table: Mapping[str, Sequence[str]]
    inner: Mapping[str, Matrix]
    bank_names: Mapping[str, str]

    def bases(self, target: str) -> list[BlendBase]:
        """The run's models of a target."""
        described = zip(self.run.models, self.run.description["results"], strict=True)
        return [
            self._base(saved, recorded) for saved, recorded in described if saved.target == target
        ]

    def _base(self, saved: SavedModel, recorded: Mapping[str, Any]) -> BlendBase:
        column = recorded["column"]
        columns = [column, *(seeded(column, seed) for seed in self.seeds)]
        return BlendBase(
            name=f"{self.name}: {column}",
            saved=saved,
            recorded=recorded,
            terms=tuple(term._replace(bank=self.bank_names[term.bank]) for term in saved.terms),
            predictions=[as_numbers(self.table[name]) for name in columns],
            inner=[self.inner[name] for name in columns] if {*columns} <= {*self.inner} else None,
        )

    @property
    def seeds(self) -> list[int]:
        """Seeds of the further splits into folds."""
        return [repeat["seed"] for repeat in self.run.description["folds"]["repeats"]]


def blend_runs(runs: Sequence[Run]) -> tuple[list[BlendRun], list[dict[str, Any]]]:
    """Read what runs bring into a blend; beside it, their banks, each under a name of its own.

    Raises
    ------
    InputError
        They have other texts, targets, weights or folds than the first.
    RunError
        A file of one is missing or damaged.
    """
    for other in runs[1:]:
        refuse_other(runs[0], other, "their out-of-fold predictions cannot be blended")
    banks, bank_names = _merged_banks(runs)
    named = zip(runs, run_names(runs), bank_names, strict=True)
    read = [BlendRun(run, name, run.read_oof(), run.read_inner(), own) for run, name, own in named]
    for member in read:
        _refuse_gaps(member)
    return read, banks


def _refuse_gaps(member: BlendRun) -> None:
    """RunError unless inner predictions are there for all rows but those of the fold left out."""
    splits = member.run.fold_numbers(member.table)
    for result in member.run.description["results"]:
        known = ~np.isnan(as_numbers(member.table[result["target"]]))
        names = [result["column"], *(seeded(result["column"], seed) for seed in member.seeds)]
        for name, numbers in zip(names, splits, strict=True):
            for fold, predicted in enumerate(member.inner.get(name, ())):
                if not np.isfinite(predicted[known & (numbers != fold)]).all():
                    raise damaged(member.run.path / INNER, f"{name!r} holds what is no number")


def _merged_banks(runs: Sequence[Run]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The runs' banks, each once and under a name of its own; and each run's names for them."""
    merged: dict[str, dict[str, Any]] = {}
    names: list[dict[str, str]] = []
    for run in runs:
        renamed = {}
        for bank in run.banks:
            if bank["fingerprint"] not in merged:
                name, number = bank["name"], 2
                while name in {other["name"] for other in merged.values()}:
                    name, number = f"{bank['name']}-{number}", number + 1
                merged[bank["fingerprint"]] = {**bank, "name": name}
            renamed[bank["name"]] = merged[bank["fingerprint"]]["name"]
        names.append(renamed)
    return list(merged.values()), names
