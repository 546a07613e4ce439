"""What ``run.json`` holds, and how it is written and read; and what ``--json`` says.

Nothing in a run's folder is code or pickle: models are .npz arrays, LightGBM's own text, or a zip
of these.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.disk.schema import EACH, OBJECT, refuse_other
from features.errors import RunError
from regress.runs.folder import MANIFEST

if TYPE_CHECKING:
    from regress.evaluation.results import Result, Results

FORMAT, VERSION = "layerbank run", 0

#: Packages that decide numbers.
PACKAGES = ("layerbank", "numpy", "scipy", "scikit-learn", "lightgbm")

_NUMBER, _SCALAR = (int, float), (str, int, type(None))

#: What a run.json must hold for others to read it.
SHAPE: Mapping[str, Any] = {
    "banks": [
        {
            "name": str,
            "path": str,
            "fingerprint": str,
            "source": OBJECT,
            "setup": {"hidden_size": int},
        }
    ],
    "texts": {"n": int, "keys": str, "targets": str},
    "targets": [str],
    "folds": {
        "scheme": str,
        "n_folds": int,
        "hash": str,
        "labels": [str],
        "repeats": [{"seed": int, "hash": str}],
    },
    "regressors": {EACH: {"params": OBJECT}},
    "versions": OBJECT,
    "results": [
        {
            "model": str,
            "select": str,
            "target": str,
            "blocks": [{"bank": str, "blocks": [[_SCALAR]], "average": bool}],
            "n_columns": int,
            "scores": {"rmse": _NUMBER},
            "naive_rmse": _NUMBER,
            "params": OBJECT,
            "column": str,
            "file": str,
            "sha256": str,
        }
    ],
}

#: What some run.json hold besides.
MORE: Mapping[str, Any] = {
    "sha256": {EACH: str},
    "input": {"path": str, "target": [str]},
    "sweep": OBJECT,
    "blend": {"runs": [str], "method": str, "targets": {EACH: {"weights": OBJECT}}},
}


def run_description(experiment: Results) -> dict[str, Any]:
    """Everything of an experiment but its results and where its texts came from."""
    task, folds, near = experiment.task, experiment.folds, experiment.near
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
            "n": len(task.texts),
            "keys": task.keys_digest,
            "targets": task.targets_digest,
            "weighted": task.weights is not None,
            "near_duplicates": None if near is None else asdict(near),
        },
        "targets": list(task.target_names),
        "folds": {
            "scheme": folds.scheme,
            "n_folds": folds.n_folds,
            "seed": None if folds.labels else folds.seed,
            "hash": folds.digest,
            "labels": list(folds.labels),
            "repeats": [{"seed": split.seed, "hash": split.digest} for split in experiment.repeats],
        },
        "selections": list(experiment.selections),
        "memory": experiment.memory,
        "regressors": {
            name: {"params": regressor.get_params(), "settings": list(regressor.settings())}
            for name, regressor in experiment.regressors.items()
        },
        "versions": versions(),
    }


def result_description(experiment: Results, result: Result) -> dict[str, Any]:
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
        "fold_models": result.fitted.fold_wise,
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


def _fold(experiment: Results, bank: str) -> dict[str, str]:
    """The fold whose bank this is, where each has its own."""
    from regress.data.fold_banks import FoldBanks

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


def as_json(value: Any) -> str:
    """A value for programs and people: indented, in UTF-8, without NaN."""
    return json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False)


def report_head(experiment: Results, run: str) -> dict[str, Any]:
    """What ``--json`` says first of what was scored, and on which folds."""
    from regress.evaluation.notes import notes

    folds = experiment.folds
    return {
        "run": run,
        "n_texts": len(folds),
        "folds": {
            "scheme": folds.scheme,
            "n_folds": folds.n_folds,
            "hash": folds.digest,
            "repeats": [{"seed": split.seed, "hash": split.digest} for split in experiment.repeats],
        },
        "notes": notes(experiment),
    }


def results_json(experiment: Results, run: str) -> str:
    """The table of results for programs."""
    results = [result.as_dict() for result in experiment.results]
    return as_json({**report_head(experiment, run), "results": results})


def versions() -> dict[str, str]:
    """Versions of the packages that decide numbers."""
    return dict(_versions())


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:  # run from a checkout that was not installed
            yield package, "unknown"


def read_description(folder: Path) -> dict[str, Any]:
    """What a folder's ``run.json`` holds.

    Raises
    ------
    RunError
        There is none, or it is damaged or of a later version.
    """
    path = folder / MANIFEST
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        held = "it is a bank" if (folder / "bank.json").is_file() else f"it holds no {MANIFEST}"
        raise RunError(
            f"{folder} is not a run ({held}): give the --out of regress, sweep or blend"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"{path} cannot be read ({error}): copy the run again, or repeat it"
        ) from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise RunError(f"{path} was not written by `layerbank regress`: give its --out")
    if description.get("version") != VERSION:
        raise RunError(
            f"{folder} is a run of version {description.get('version')}, and this layerbank reads "
            f"version {VERSION}: repeat the run, or install a later layerbank"
        )
    try:
        _refuse_damaged(description)
    except ValueError as error:
        raise damaged(folder, error) from None
    return description


def damaged(folder: Path, error: Exception) -> RunError:
    """What is said of a folder whose ``run.json`` holds something else than it should."""
    return RunError(f"{folder / MANIFEST} is damaged ({error}): copy the run again, or repeat it")


def _refuse_damaged(description: dict[str, Any]) -> None:
    """ValueError unless a run.json holds what others read of it."""
    given = {name: shape for name, shape in MORE.items() if description.get(name) is not None}
    refuse_other(description, {**SHAPE, **given}, "")
    banks = {bank["name"] for bank in description["banks"]}
    for number, result in enumerate(description["results"]):
        if result["target"] not in description["targets"]:
            raise ValueError(f"results[{number}].target is none of its targets")
        if not banks.issuperset(term["bank"] for term in result["blocks"]):
            raise ValueError(f"results[{number}].blocks are of none of its banks")
