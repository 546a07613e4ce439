"""The run folder: ``run.json``, ``oof.csv`` and ``models/``, written at once or not at all.

What ``run.json`` holds stands in `regress.description`. Nothing in the folder is code or pickle:
models are .npz arrays, LightGBM's own text, or a zip of these.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

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
    import pandas as pd

    from regress.experiment import Experiment

MANIFEST = "run.json"
OOF, INNER = "oof.csv", "inner.npz"
#: Banks of texts that were encoded to be predicted, where the run's own banks are gone.
SCRATCH = "scratch"
#: Stands in `SHAPE` for every name.
EACH = "*"
_NUMBER, _SCALAR, _OBJECT = (int, float), (str, int, type(None)), {EACH: object}
#: What a run.json must hold for others to read it: types, lists of these, objects by name.
SHAPE: Mapping[str, Any] = {
    "banks": [
        {
            "name": str,
            "path": str,
            "fingerprint": str,
            "source": _OBJECT,
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
    "regressors": {EACH: {"params": _OBJECT}},
    "versions": _OBJECT,
    "results": [
        {
            "model": str,
            "select": str,
            "target": str,
            "blocks": [{"bank": str, "blocks": [[_SCALAR]], "average": bool}],
            "n_columns": int,
            "scores": {"rmse": _NUMBER},
            "naive_rmse": _NUMBER,
            "params": _OBJECT,
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
    "sweep": _OBJECT,
    "blend": {"runs": [str], "method": str, "targets": {EACH: {"weights": _OBJECT}}},
}


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
    table = experiment.oof
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
        write_frame(table, folder / OOF)
        description = {**describe(experiment), "input": source, "results": results}
        description |= also(folder) if also is not None else {}
        description["sha256"] = hashes(folder)
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
    except (OSError, ValueError, RecursionError) as error:
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
        _refuse_damaged(description)
        models = [_saved_model(path, result) for result in description["results"]]
        return Run(path, description, models)
    except (TypeError, ValueError) as error:
        raise RunError(
            f"{path / MANIFEST} is damaged ({error}): copy the run again, or repeat it"
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


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256, in hex, of each file that blends read, beside the models, which have their own."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in (OOF, INNER)
        if (folder / name).exists()
    }


class _Lines:
    r"""Takes lines that end in ``\r\n`` from a csv writer, and ends them in ``\n``.

    Up to Python 3.12 the writer quotes no other ends of lines than its own: with ``\n`` alone, a
    cell that holds a bare ``\r`` would be read as two rows.
    """

    END = "\r\n"

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> int:
        return self._file.write(line.removesuffix(self.END) + "\n")


def write_rows(file: TextIO, rows: Iterable[Sequence[object]]) -> None:
    """Write CSV; cells are quoted where they have to be, which those with any end of line have."""
    csv.writer(_Lines(file), lineterminator=_Lines.END).writerows(rows)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, quoted as in `write_rows`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines: Any = _Lines(file)  # pandas does nothing but write to it
        frame.to_csv(lines, index=False, lineterminator=_Lines.END)


def _refuse_damaged(description: dict[str, Any]) -> None:
    """ValueError unless a run.json holds what others read of it."""
    given = {name: shape for name, shape in MORE.items() if description.get(name) is not None}
    _refuse_other(description, {**SHAPE, **given}, "")
    banks = {bank["name"] for bank in description["banks"]}
    for at, result in enumerate(description["results"]):
        if result["target"] not in description["targets"]:
            raise ValueError(f"results[{at}].target is none of its targets")
        if not banks.issuperset(term["bank"] for term in result["blocks"]):
            raise ValueError(f"results[{at}].blocks are of none of its banks")


def _refuse_other(value: Any, shape: Any, name: str) -> None:
    """ValueError with the name of the first part of a value that is not as `shape` says."""
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            raise ValueError(f"{name} is no object")
        for key, of_key in shape.items():
            for each in value if key == EACH else [key]:
                path = f"{name}.{each}".removeprefix(".")
                if each not in value:
                    raise ValueError(f"it lacks {path}")
                _refuse_other(value[each], of_key, path)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise ValueError(f"{name} is no list")
        for at, one in enumerate(value):
            _refuse_other(one, shape[0], f"{name}[{at}]")
    elif not isinstance(value, shape):
        raise ValueError(f"{name} is {type(value).__name__}, which it cannot be")


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
    """A folder beside `path` that takes its place when all has been written into it.

    What was encoded into the one that it replaces stays.
    """
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
        if (replaced / SCRATCH).is_dir():
            (replaced / SCRATCH).rename(path / SCRATCH)
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
