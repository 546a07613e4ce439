"""What ``run.json`` says: everything that repeating a run takes.

``run.json`` (format ``layerbank run``, version 0) is an object with

- ``banks``: a list, each with ``name``, ``path``, ``fingerprint``, ``source`` and ``setup``, and
  the ``fold`` that it scores, where each fold has its own;
- ``texts``: their number ``n``; ``keys``, the SHA-256 over their keys in the order of the rows;
  ``targets``, that over targets and weights; whether they are ``weighted``; ``near_duplicates``;
- ``targets``: names; ``input``: the file, columns and options they came from, where a file was
  read;
- ``folds``: ``scheme``, ``n_folds``, ``seed`` and ``hash`` (`regress.folds.Folds.digest`), the
  ``labels`` of folds that were given, and seed and hash of ``repeats``;
- ``selections`` as they were asked for, and ``memory``, a limit in bytes;
- ``regressors``: parameters of each, and the ``settings`` it chose from;
- ``results``: target by target, the lowest RMSE first; each with the blocks as resolved, nested
  scores, the naive RMSE, what was chosen, its ``column`` in ``oof.csv``, its ``file`` and the
  ``sha256`` of that, ``repeats`` on further folds, and whether it is a mean of ``fold_models``;
- ``sha256``: of ``oof.csv``, and of ``inner.npz`` where there is one;
- ``versions`` and ``created``: recorded only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from regress.fold_banks import FoldBanks, FoldModels

if TYPE_CHECKING:
    from regress.experiment import Experiment, Result

FORMAT = "layerbank run"
VERSION = 0
PACKAGES = ("layerbank", "numpy", "scipy", "scikit-learn", "lightgbm")


def describe(experiment: Experiment) -> dict[str, Any]:
    """Everything of an experiment but its results and where its texts came from."""
    design, folds, near = experiment.design, experiment.folds, experiment.near
    return {
        "format": FORMAT,
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "banks": [
            {
                "name": name,
                "path": str(bank.path),
                "fingerprint": bank.fingerprint,
                "source": dict(bank.source),
                "setup": dict(bank.setup),
                **_fold(experiment, name),
            }
            for name, bank in experiment.banks.by_name.items()
        ],
        "texts": {
            "n": len(design.texts),
            "keys": design.keys_digest,
            "targets": design.targets_digest,
            "weighted": design.weights is not None,
            "near_duplicates": None if near is None else asdict(near),
        },
        "targets": list(design.target_names),
        "folds": {
            "scheme": folds.scheme,
            "n_folds": folds.n_folds,
            "seed": None if folds.labels else folds.seed,
            "hash": folds.digest,
            "labels": list(folds.labels),
            "repeats": [{"seed": of.seed, "hash": of.digest} for of in experiment.repeats],
        },
        "selections": list(experiment.selections),
        "memory": experiment.memory,
        "regressors": {
            name: {"params": regressor.get_params(), "settings": list(regressor.settings())}
            for name, regressor in experiment.regressors.items()
        },
        "versions": versions(),
    }


def describe_result(experiment: Experiment, result: Result) -> dict[str, Any]:
    """A result, less its file."""
    return {
        "model": result.model,
        "select": result.select,
        "target": result.target,
        "blocks": [
            {"bank": term.bank, "blocks": [list(b) for b in term.blocks], "average": term.average}
            for term in result.terms
        ],
        "n_columns": result.n_columns,
        "scores": asdict(result.scores),
        "naive_rmse": result.naive_rmse,
        "fold_rmse": result.fold_rmse,
        "fold_params": result.fold_params,
        "params": result.params,
        "seconds": round(result.seconds, 3),
        "column": experiment.label(result),
        "fold_models": isinstance(result.fitted, FoldModels),
        "repeats": [
            {
                "scores": asdict(repeat.scores),
                "naive_rmse": repeat.naive_rmse,
                "fold_rmse": repeat.fold_rmse,
                "fold_params": repeat.fold_params,
            }
            for repeat in result.repeats
        ],
    }


def _fold(experiment: Experiment, bank: str) -> dict[str, str]:
    """The fold whose bank this is, where each has its own."""
    banks = experiment.banks
    return {"fold": banks.labels[bank]} if isinstance(banks, FoldBanks) else {}


def plain(value: Any) -> Any:
    """A value as JSON has it: NaN and infinity as null, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def versions() -> dict[str, str]:
    """Versions of the packages that decide numbers."""
    return dict(_versions())


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:  # run from a checkout that was not installed
            yield package, "unknown"
