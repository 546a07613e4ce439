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

from features.errors import InputError
from features.selection import ResolvedTerm
from regress.blend.weights import METHODS, Method, Weights, mean_weights
from regress.evaluation.metrics import Scores, mean_scores, rmse, rmse_by_fold, score
from regress.evaluation.oof import WEIGHT, seeded
from regress.evaluation.results import Repeat
from regress.models.base import Matrix
from regress.models.ensembles import Base, BlendModel
from regress.runs.run import Run, load_run
from regress.runs.saved_model import SavedModel

HONEST = "honest: weights fitted on bases that were refitted without the scored fold"


STACKED = "stacked on out-of-fold predictions: bases are not refitted inside the outer folds"


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
        Shape (n_samples,), for each division into folds.
    inner
        Shape (n_folds, n_samples), likewise, where the run has it: see `regress.search.Search`.
    """

    name: str
    saved: SavedModel
    recorded: Mapping[str, Any]
    terms: tuple[ResolvedTerm, ...]
    predictions: Sequence[Matrix]
    inner: Sequence[Matrix] | None


@dataclass(frozen=True, eq=False)
class Blended:
    """A blend of one target.

    Attributes
    ----------
    target, bases, weights
        What is blended, and how much of each, fitted on all rows.
    predictions, scores, fold_rmse
        Nested, as `label` says. With several divisions into folds, scores are means, and
        predictions and `fold_rmse` are those of the first.
    repeats
        Predictions and scores on the other divisions.
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
    repeats: Sequence[Repeat] = ()

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

    def __repr__(self) -> str:
        scores = [f"{one.target!r} RMSE {one.scores.rmse:.4f}" for one in self.targets]
        return f"<Blend of {len(self.runs)} runs by {self.method}: {', '.join(scores)}>"


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
        A folder that is no run, or a damaged one.
    InputError
        Runs with other texts, targets or folds, fewer than two models, an unknown method.
    """
    if method not in METHODS:
        raise InputError(f"there is no method {method!r}: it is one of {', '.join(METHODS)}")
    loaded = [load_run(path) for path in dict.fromkeys(Path(path).absolute() for path in runs)]
    if not loaded:
        raise InputError("name the runs to blend")
    for other in loaded[1:]:
        refuse_other(loaded[0], other)
    banks, names = merged_banks(loaded)
    tables, inner = [run.read_oof() for run in loaded], [run.read_inner() for run in loaded]
    members = [*zip(loaded, names_of(loaded), tables, inner, names, strict=True)]
    divisions = loaded[0].fold_numbers(tables[0])
    weighted = loaded[0].description["texts"].get("weighted")
    counts = np.array(tables[0][WEIGHT], dtype=np.float64) if weighted else None
    blended = []
    for target in loaded[0].targets:
        bases = [base for member in members for base in _bases(*member, target)]
        if len(bases) < 2:
            raise InputError(f"{loaded[0].path} holds one model, and one cannot be blended: name "
                             "another run")  # fmt: skip
        y = np.array(tables[0][target], dtype=np.float64)
        blended.append(_blended(target, bases, y, counts, divisions, method))
    return Blend(loaded, banks, tables[0], blended, method)


def _blended(
    target: str,
    bases: Sequence[BlendBase],
    y: Matrix,
    counts: Matrix | None,
    divisions: Sequence[NDArray[np.int64]],
    method: str,
) -> Blended:
    honest = all(base.inner is not None for base in bases)
    repeats, fitted = [], []
    for at, numbers in enumerate(divisions):
        A = np.stack([base.predictions[at] for base in bases], axis=1)
        inner = [base.inner[at] for base in bases if base.inner is not None] if honest else None
        weights = METHODS[method](A, y, numbers, counts)
        predictions = _nested(A, inner, y, counts, numbers, METHODS[method])
        repeats.append(
            Repeat(
                predictions=predictions,
                scores=score(y, predictions, counts),
                naive_rmse=rmse(y, weights.apply(A), counts),
                fold_rmse=rmse_by_fold(y, predictions, numbers, counts),
                fold_params=[],
            )
        )
        fitted.append(weights)
    every = range(len(divisions))
    return Blended(
        target=target,
        bases=bases,
        weights=mean_weights(fitted),
        predictions=repeats[0].predictions,
        scores=mean_scores([repeat.scores for repeat in repeats]),
        fold_rmse=repeats[0].fold_rmse,
        naive_rmse=float(np.mean([repeat.naive_rmse for repeat in repeats])),
        best=min(
            float(np.mean([rmse(y, of.predictions[at], counts) for at in every])) for of in bases
        ),
        label=HONEST if honest else STACKED,
        repeats=repeats[1:],
    )


def _nested(
    A: Matrix,
    inner: Sequence[Matrix] | None,
    y: Matrix,
    counts: Matrix | None,
    numbers: NDArray[np.int64],
    fit: Method,
) -> Matrix:
    """Each fold by weights that were fitted without it, shape (n_samples,)."""
    predictions = np.empty(len(y))
    for fold in range(int(numbers.max()) + 1):
        rest, held = np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold)
        seen = A[rest] if inner is None else np.stack([of[fold, rest] for of in inner], axis=1)
        weights = fit(seen, y[rest], numbers[rest], None if counts is None else counts[rest])
        predictions[held] = weights.apply(A[held])
    return predictions


def _bases(
    run: Run,
    run_name: str,
    table: Mapping[str, Sequence[str]],
    inner: Mapping[str, Matrix],
    names: Mapping[str, str],
    target: str,
) -> list[BlendBase]:
    seeds = [of["seed"] for of in run.description["folds"]["repeats"]]
    found = []
    for saved, result in zip(run.models, run.description["results"], strict=True):
        if saved.target == target:
            column = result["column"]
            columns = [column, *(seeded(column, seed) for seed in seeds)]
            terms = tuple(term._replace(bank=names[term.bank]) for term in saved.terms)
            found.append(
                BlendBase(
                    name=f"{run_name}: {column}",
                    saved=saved,
                    recorded=result,
                    terms=terms,
                    predictions=[np.array(table[name], dtype=np.float64) for name in columns],
                    inner=[inner[of] for of in columns] if inner.keys() >= {*columns} else None,
                )
            )
    return found


def _width(term: ResolvedTerm, banks: Mapping[str, Mapping[str, Any]]) -> int:
    hidden = int(banks[term.bank]["setup"]["hidden_size"])
    return hidden * (1 if term.average else len(term.blocks))


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
