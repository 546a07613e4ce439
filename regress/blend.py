"""Blending runs: their out-of-fold predictions choose the weights, their models do the work.

The score of a blend is nested: the weights that predict a fold are fitted without it. Where every
run says what its models predict when they are refitted without each outer fold (as sweeps do, in
``inner.npz``), the weights are fitted on that, and the score is honest without reserve. Otherwise
they are stacked on out-of-fold predictions: those of other folds come from models that saw the
scored fold, which can flatter slightly, and the label says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.blocks import ResolvedTerm
from features.errors import InputError, RunError
from regress.blend_model import Base, BlendModel
from regress.metrics import Scores, rmse, score
from regress.model import Matrix, load_arrays
from regress.persistence import load_run
from regress.run import Run, SavedModel
from regress.weights import METHODS, Weights

HONEST = "honest: weights fitted on bases that were refitted without the scored fold"
STACKED = "stacked on out-of-fold predictions: bases are not refitted inside the outer folds"


@dataclass(frozen=True, eq=False)
class BlendBase:
    """One model of one run, and its nested out-of-fold predictions.

    Attributes
    ----------
    name
        The run's folder and the model's column, ``sweep: auto svr``.
    saved
        The model.
    terms
        Its blocks, with banks by the names they have in the blend.
    predictions
        Shape (n_samples,).
    inner
        Shape (n_folds, n_samples), where the run has it: see `regress.search.Search`.
    """

    name: str
    saved: SavedModel
    terms: tuple[ResolvedTerm, ...]
    predictions: Matrix
    inner: Matrix | None


@dataclass(frozen=True, eq=False)
class Blended:
    """A blend of one target.

    Attributes
    ----------
    target, bases, weights
        What is blended, and how much of each, fitted on all rows.
    predictions, scores, fold_rmse
        Nested, as `label` says.
    naive_rmse
        Of weights that were fitted on the rows they are scored on.
    best
        The lowest nested RMSE among the bases.
    label
        `HONEST` or `STACKED`.
    """

    target: str
    bases: Sequence[BlendBase]
    weights: Weights
    predictions: Matrix
    scores: Scores
    fold_rmse: list[float]
    naive_rmse: float
    best: float
    label: str

    def model(self, banks: Mapping[str, Mapping[str, Any]]) -> tuple[BlendModel, int]:
        """The blend as one model on its bases' columns side by side, and their number."""
        starts: dict[tuple[ResolvedTerm, ...], int] = {}
        stop, fitted = 0, []
        for base in self.bases:
            if base.terms not in starts:
                starts[base.terms] = stop
                stop += sum(_width(term, banks) for term in base.terms)
            start = starts[base.terms]
            columns = (start, start + sum(_width(term, banks) for term in base.terms))
            fitted.append(Base(base.saved.model, base.saved.fitted, *columns))
        return BlendModel(fitted, self.weights.values, self.weights.intercept), stop

    @property
    def terms(self) -> tuple[ResolvedTerm, ...]:
        """The blocks of all bases; those that several share stand once."""
        return tuple(t for terms in dict.fromkeys(b.terms for b in self.bases) for t in terms)


@dataclass(frozen=True, eq=False)
class Blend:
    """Runs that were blended: everything that a run folder of their own takes."""

    runs: Sequence[Run]
    banks: list[dict[str, Any]]
    table: Mapping[str, Sequence[str]]
    targets: list[Blended]
    method: str


def blend(runs: Sequence[str | Path], *, method: str = "nnls") -> Blend:
    """Blend all models of several runs.

    Parameters
    ----------
    runs
        Run folders with the same texts, targets and folds.
    method
        ``"nnls"`` or ``"ridge"``.

    Raises
    ------
    RunError
        A folder that is no run.
    InputError
        Runs with other texts, targets or folds, fewer than two models, an unknown method.
    """
    if method not in METHODS:
        raise InputError(f"there is no method {method!r}: --method is one of {', '.join(METHODS)}")
    loaded = [load_run(path) for path in dict.fromkeys(Path(path).absolute() for path in runs)]
    if not loaded:
        raise InputError("name the runs to blend")
    for other in loaded[1:]:
        _refuse_other(loaded[0], other)
    banks, names = _merged_banks(loaded)
    tables = [read_oof(run) for run in loaded]
    numbers = np.unique(tables[0]["fold"], return_inverse=True)[1].astype(np.int64)
    blended = []
    for target in loaded[0].targets:
        bases = [
            base
            for run, table, renamed in zip(loaded, tables, names, strict=True)
            for base in _bases(run, table, renamed, target)
        ]
        if len(bases) < 2:
            raise InputError(f"{loaded[0].path} holds one model, and one cannot be blended: name "
                             "another run")  # fmt: skip
        y = np.array(tables[0][target], dtype=np.float64)
        blended.append(_blended(target, bases, y, numbers, method))
    return Blend(loaded, banks, tables[0], blended, method)


def _blended(
    target: str, bases: Sequence[BlendBase], y: Matrix, numbers: NDArray[np.int64], method: str
) -> Blended:
    fit = METHODS[method]
    A = np.stack([base.predictions for base in bases], axis=1)
    inner = [base.inner for base in bases if base.inner is not None]
    honest = len(inner) == len(bases)
    predictions, by_fold = np.empty(len(y)), []
    for fold in range(int(numbers.max()) + 1):
        rest, held = np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold)
        seen = np.stack([of[fold, rest] for of in inner], axis=1) if honest else A[rest]
        predictions[held] = fit(seen, y[rest], numbers[rest]).apply(A[held])
        by_fold.append(rmse(y[held], predictions[held]))
    weights = fit(A, y, numbers)
    return Blended(
        target=target,
        bases=bases,
        weights=weights,
        predictions=predictions,
        scores=score(y, predictions),
        fold_rmse=by_fold,
        naive_rmse=rmse(y, weights.apply(A)),
        best=min(rmse(y, base.predictions) for base in bases),
        label=HONEST if honest else STACKED,
    )


def _bases(
    run: Run, table: Mapping[str, Sequence[str]], names: Mapping[str, str], target: str
) -> list[BlendBase]:
    inner = load_arrays(run.path / "inner.npz") if (run.path / "inner.npz").exists() else {}
    found = []
    for saved, result in zip(run.models, run.description["results"], strict=True):
        if saved.target == target:
            column = result["column"]
            terms = tuple(term._replace(bank=names[term.bank]) for term in saved.terms)
            found.append(
                BlendBase(
                    name=f"{run.path.name}: {column}",
                    saved=saved,
                    terms=terms,
                    predictions=np.array(table[column], dtype=np.float64),
                    inner=inner.get(column),
                )
            )
    return found


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


def _refuse_other(first: Run, other: Run) -> None:
    """InputError unless two runs have the same texts, targets and folds."""
    for what, one, two in (
        ("texts", first.description["texts"]["keys"], other.description["texts"]["keys"]),
        ("targets", first.targets, other.targets),
        ("folds", first.description["folds"]["hash"], other.description["folds"]["hash"]),
    ):
        if one != two:
            told = f" ({str(one)[:12]} and {str(two)[:12]})" if what == "folds" else ""
            raise InputError(
                f"{first.path} and {other.path} have different {what}{told}, so their out-of-fold "
                "predictions cannot be blended: repeat one like the other"
            )


def _merged_banks(runs: Sequence[Run]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
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


def _width(term: ResolvedTerm, banks: Mapping[str, Mapping[str, Any]]) -> int:
    hidden = int(banks[term.bank]["setup"]["hidden_size"])
    return hidden * (1 if term.average else len(term.blocks))
