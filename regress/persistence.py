"""The run folder: ``run.json``, ``oof.csv`` and ``models/``, written at once or not at all.

``run.json`` (format ``layerbank run``, version 0) is an object with

- ``banks``: a list, each with ``name``, ``path``, ``fingerprint``, ``source`` and ``setup``;
- ``texts``: their number, and ``keys``, the SHA-256 over their keys in the order of the rows;
- ``targets``: names; ``input``: the file and columns they came from, where a file was read;
- ``folds``: ``scheme``, ``n_folds``, ``seed`` and ``hash`` (`regress.folds.Folds.digest`);
- ``regressors``: parameters of each, and the ``settings`` it chose from;
- ``results``: the lowest RMSE first; each with the blocks as resolved, nested scores, the naive
  RMSE, what was chosen, its ``column`` in ``oof.csv``, its ``file`` and the ``sha256`` of that;
- ``versions`` and ``created``: recorded only.

Nothing in the folder is code or pickle: models are .npz arrays or LightGBM's own text.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.blocks import Block, ResolvedTerm
from features.errors import RunError
from regress.registry import MODELS
from regress.run import Run, SavedModel

if TYPE_CHECKING:
    from regress.experiment import Experiment, Result

FORMAT = "layerbank run"
VERSION = 0
MANIFEST = "run.json"
PACKAGES = ("layerbank", "numpy", "scipy", "scikit-learn", "lightgbm")


def save_run(
    experiment: Experiment,
    path: str | Path,
    *,
    force: bool = False,
    source: Mapping[str, Any] | None = None,
    figures: bool = False,
) -> Path:
    """Write a run folder.

    Parameters
    ----------
    path
        The folder to make.
    force
        Whether to replace a run that is there.
    source
        The file and columns that texts and targets came from; recorded as ``input``.
    figures
        Whether to write each of the report's figures as PNG and SVG as well.

    Raises
    ------
    RunError
        Something is there already, or cannot be written.
    """
    from regress.report import write_report

    path = Path(path).absolute()
    refuse_existing(path, force=force)
    with _new_folder(path) as folder:
        (folder / "models").mkdir()
        results = []
        for number, result in enumerate(experiment.results):
            file = result.fitted.save(folder / "models" / f"{number:03d}-{result.model}")
            described = _describe_result(experiment, result)
            described["file"] = file.relative_to(folder).as_posix()
            described["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
            results.append(described)
        experiment.oof.to_csv(folder / "oof.csv", index=False, lineterminator="\n")
        description = {**_describe(experiment), "input": source, "results": results}
        text = json.dumps(_plain(description), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
        write_report(experiment, description, folder, run=path, save_figures=figures)
    return path


def load_run(path: str | Path) -> Run:
    """Read a run folder; its models are read when they are used.

    Raises
    ------
    RunError
        The folder is missing, holds no run, one that is damaged or of a later version.
    """
    path = Path(path).absolute()
    if not path.is_dir():
        raise RunError(f"there is no run folder {path}: make one with `layerbank regress`")
    try:
        description = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is not a run: it holds no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path / MANIFEST} cannot be read ({error}): copy the run again, or repeat it"
        ) from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise RunError(f"{path / MANIFEST} was not written by `layerbank regress`: give its --out")
    if description.get("version") != VERSION:
        raise RunError(
            f"{path} is a run of version {description.get('version')}, and this layerbank reads "
            f"version {VERSION}: repeat the run, or install a later layerbank"
        )
    try:
        models = [_saved_model(path, result) for result in description["results"]]
        return Run(path, description, models)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path / MANIFEST} is damaged ({type(error).__name__}: {error}): copy the run again, "
            "or repeat it"
        ) from None


def refuse_existing(path: Path, *, force: bool) -> None:
    """RunError when a run cannot be written to `path`."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not force:
        raise RunError(f"{path} exists: give another --out, or --force to replace it")
    if not (path / MANIFEST).is_file():
        raise RunError(f"{path} exists and is not a run, so --force leaves it: give another --out")


def _describe(experiment: Experiment) -> dict[str, Any]:
    design, folds = experiment.design, experiment.folds
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
            }
            for name, bank in experiment.banks.by_name.items()
        ],
        "texts": {"n": len(design.texts), "keys": design.keys_digest},
        "targets": list(design.target_names),
        "folds": {
            "scheme": folds.scheme,
            "n_folds": folds.n_folds,
            "seed": folds.seed,
            "hash": folds.digest,
        },
        "regressors": {
            name: {"params": regressor.get_params(), "settings": list(regressor.settings())}
            for name, regressor in experiment.regressors.items()
        },
        "versions": dict(_versions()),
    }


def _describe_result(experiment: Experiment, result: Result) -> dict[str, Any]:
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
    }


def _saved_model(path: Path, result: Mapping[str, Any]) -> SavedModel:
    if result["model"] not in MODELS:
        raise ValueError(f"unknown regressor {result['model']!r}")
    return SavedModel(
        model=result["model"],
        select=result["select"],
        target=result["target"],
        terms=tuple(
            ResolvedTerm(term["bank"], tuple(Block(*b) for b in term["blocks"]), term["average"])
            for term in result["blocks"]
        ),
        scores=dict(result["scores"]),
        params=dict(result["params"]),
        path=path / result["file"],
        sha256=result["sha256"],
        kind=MODELS[result["model"]][1],
    )


def _plain(value: Any) -> Any:
    """A value as JSON has it: NaN and infinity as null, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:  # run from a checkout that was not installed
            yield package, "unknown"


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` that takes its place when all has been written into it."""
    mark = secrets.token_hex(6)
    folder = path.with_name(f".{path.name}-{mark}")
    replaced = path.with_name(f".{path.name}-{mark}-replaced")
    try:
        folder.mkdir(parents=True)
        yield folder
        for file in folder.rglob("*"):
            if file.is_file():
                with file.open("rb+") as written:
                    os.fsync(written.fileno())
        if path.exists():
            path.rename(replaced)
        folder.rename(path)
    except OSError as error:
        if replaced.exists() and not path.exists():
            replaced.rename(path)
        raise RunError(
            f"could not write the run {path} ({error}): make room and try again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
