"""The run folder: ``run.json``, ``oof.csv`` and ``models/``, written at once or not at all.

What ``run.json`` holds stands in `regress.description`. Nothing in the folder is code or pickle:
models are .npz arrays, LightGBM's own text, or a zip of these.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.blocks import Block, ResolvedTerm
from features.commit import is_writable
from features.errors import RunError
from regress.blend_model import BlendModel
from regress.description import FORMAT, VERSION, describe, describe_result, plain
from regress.fold_banks import FoldModels
from regress.model import FittedModel
from regress.registry import MODELS
from regress.run import Run, SavedModel

if TYPE_CHECKING:
    from regress.experiment import Experiment

MANIFEST = "run.json"


def save_run(
    experiment: Experiment,
    path: str | Path,
    *,
    force: bool = False,
    source: Mapping[str, Any] | None = None,
    figures: bool = False,
    also: Callable[[Path], Mapping[str, Any]] | None = None,
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
    also
        Writes further files into the folder, and returns what ``run.json`` is to hold besides.

    Raises
    ------
    RunError
        Something is there already, or cannot be written.
    """
    from regress.report import write_report

    path = Path(path).absolute()
    # The command line asked before, and in its own words.
    refuse_existing(path, force=force, in_python=True)
    with new_folder(path) as folder:
        (folder / "models").mkdir()
        results = []
        for number, result in enumerate(experiment.results):
            file = result.fitted.save(folder / "models" / f"{number:03d}-{result.model}")
            described = describe_result(experiment, result)
            described["file"] = file.relative_to(folder).as_posix()
            described["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
            results.append(described)
        experiment.oof.to_csv(folder / "oof.csv", index=False, lineterminator="\n")
        description = {**describe(experiment), "input": source, "results": results}
        description |= also(folder) if also is not None else {}
        text = json.dumps(plain(description), indent=1, ensure_ascii=False, allow_nan=False)
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
        held = "it is a bank" if (path / "bank.json").is_file() else f"it holds no {MANIFEST}"
        raise RunError(
            f"{path} is not a run ({held}): give the --out of regress, sweep or blend"
        ) from None
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


def refuse_existing(
    path: Path, *, force: bool, parts: Path | None = None, in_python: bool = False
) -> None:
    """RunError when a run cannot be written to `path`; `parts` is where a sweep keeps its own."""
    out, replace = ("path", "force=True") if in_python else ("--out", "--force")
    if not is_writable(path.absolute().parent):
        raise RunError(f"{path.absolute().parent} cannot be written to: give another {out}")
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not force:
        kept = ""
        if parts is not None and parts.is_dir():
            kept = f", which takes what is done already from {parts}"
        raise RunError(f"{path} exists: give another {out}, or {replace} to replace it{kept}")
    if not (path / MANIFEST).is_file():
        raise RunError(
            f"{path} exists and is not a run, so {replace} leaves it: give another {out}"
        )


def _saved_model(path: Path, result: Mapping[str, Any]) -> SavedModel:
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
        kind=_kind(result),
    )


def _kind(result: Mapping[str, Any]) -> type[FittedModel]:
    if result["model"] == "blend":
        return BlendModel
    if result["model"] not in MODELS:
        raise ValueError(f"unknown regressor {result['model']!r}")
    return FoldModels if result.get("fold_models") else MODELS[result["model"]][1]


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
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
