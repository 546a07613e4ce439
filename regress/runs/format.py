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

from features.disk.notes import was_written_here
from features.disk.schema import EACH, OBJECT, parse_json, refuse_other
from features.disk.system import read_file
from features.errors import RunError
from regress.runs.folder import MANIFEST, damaged
from regress.runs.values import refuse_unfitting, refuse_values

if TYPE_CHECKING:
    from regress.data.task import Task
    from regress.evaluation.results import Result, Results

FORMAT, VERSION = "layerbank run", 0

#: Packages that decide numbers.
PACKAGES = ("layerbank", "numpy", "scipy", "scikit-learn", "lightgbm")

_NUMBER, _MAYBE_NUMBER = (int, float), (int, float, type(None))
_SCALAR = (str, int, type(None))

#: What a run.json must hold for others to read it: types, lists of these, objects by name.
SHAPE: Mapping[str, Any] = {
    "banks": [
        {
            "name": str, "path": str, "fingerprint": str, "fold?": str,
            "source": {"encoder?": str, "revision?": str, "weights?": str},
            "setup": {
                "hidden_size": int, "n_layers": int, "poolings": [str], "pooler": bool,
                "weights?": str, "max_length?": int, "long?": str, "stride?": int,
                "precision?": str, "prompt?": str,
            },
        }
    ],
    "texts": {
        "n": int, "keys": str, "targets": str, "weighted?": bool,
        "n_with_target?": {EACH: int}, "left_out?": {EACH: int}, "near_duplicates?": OBJECT,
    },
    "targets": [str],
    "folds": {
        "scheme": str, "n_folds": int, "seed?": int, "hash": str,
        "labels": [str],
        "repeats": [{"seed": int, "hash": str}],
    },
    "selections?": [str],
    "memory?": int,
    "regressors": {EACH: {"params": OBJECT}},
    "versions": {EACH: str},
    "results": [
        {
            "model": str,
            "select": str,
            "target": str,
            "blocks": [{"bank": str, "blocks": [[_SCALAR]], "average": bool}],
            "n_columns": int,
            "scores": {"rmse": _NUMBER, EACH: _MAYBE_NUMBER},
            "naive_rmse": _NUMBER,
            "params": OBJECT,
            "column": str,
            "fold_models?": bool,
            "file": str,
            "sha256": str,
        }
    ],
    "sha256?": {EACH: str},
    "input?": {
        "path": str, "target": [str], "text?": [str], "format?": str, "encoding?": str,
        "id?": str, "group?": str, "fold?": str, "sample_weight?": str, "skip_empty?": bool,
        "skip_missing?": bool,
        "by?": [str], "delimiter?": str, "quoting?": str, "decimal?": str, "no_header?": bool,
        "spooled?": bool,
    },
    "sweep?": {"n_best?": int, "greedy?": bool},
    "blend?": {
        "runs": [str],
        "sha256?": [str],
        "method": str,
        "targets": {EACH: {"weights": {EACH: _NUMBER}}},
    },
}  # fmt: skip


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
            **_missing(task),
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


def _missing(task: Task) -> dict[str, dict[str, int]]:
    """How many rows were left out, and have each target, where not all have every one."""
    found = {}
    if task.kept is not None:
        counts = {"without_target": task.kept.n_without_target,
                  "without_weight": task.kept.n_without_weight}  # fmt: skip
        found["left_out"] = counts
    known = [len(task.known(target)) for target in range(len(task.target_names))]
    if min(known) < len(task.texts):
        found["n_with_target"] = dict(zip(task.target_names, known, strict=True))
    return found


def _fold(experiment: Results, bank: str) -> dict[str, str]:
    """The fold whose bank this is, where each has its own."""
    from regress.data.fold_banks import FoldBanks

    banks = experiment.banks
    return {"fold": banks.labels[bank]} if isinstance(banks, FoldBanks) else {}


def plain(value: Any) -> Any:
    """A value as JSON has it: NaN and infinity as null, tuples as lists, no half of a surrogate."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def as_json(value: Any) -> str:
    """A value for programs and people: indented, in UTF-8, without NaN."""
    return json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False)


def write_manifest(folder: Path, description: Mapping[str, Any]) -> bytes:
    """Write a folder's ``run.json``, and return its content."""
    content = (as_json(description) + "\n").encode()
    (folder / MANIFEST).write_bytes(content)
    return content


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
        "baseline": baselines(experiment),
    }


def baselines(experiment: Results) -> dict[str, dict[str, float]]:
    """Of each target, the scores of predicting the training mean."""
    names = experiment.task.target_names
    return {name: asdict(experiment.baseline(name).row.scores) for name in names}


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


def read_description(folder: Path) -> tuple[dict[str, Any], bool]:
    """What a folder's ``run.json`` holds, and whether it was written here, by this user.

    Raises
    ------
    RunError
        There is none, or it is damaged or of a later version.
    """
    path = folder / MANIFEST
    try:
        content = read_file(path)
        description = parse_json(content)
    except FileNotFoundError:
        held = "it is a bank" if (folder / "bank.json").is_file() else f"it holds no {MANIFEST}"
        raise RunError(
            f"{folder} is not a run ({held}): give the --out of regress, sweep or blend"
        ) from None
    except (OSError, ValueError, MemoryError) as error:
        raise RunError(
            f"{path} cannot be read ({error}): copy the run again, or repeat it"
        ) from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise RunError(f"{path} was not written by `layerbank fit`: give its --out")
    if description.get("version") != VERSION:
        raise RunError(
            f"{folder} is a run of version {description.get('version')!r:.20}, and this "
            f"layerbank reads version {VERSION}: repeat the run, or install a later layerbank"
        )
    try:
        refuse_values(description)
        refuse_other(description, SHAPE, "")
        refuse_unfitting(description)
    except (ValueError, RecursionError) as error:
        raise damaged(path, error) from None
    return description, was_written_here(content)
