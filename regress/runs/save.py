"""Writes the run folder: ``run.json``, ``oof.csv`` and ``models/``, at once or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from features.disk.notes import note_written_here
from features.disk.system import is_writable
from features.errors import RunError
from features.paths import as_path
from regress.evaluation.notes import notes
from regress.evaluation.results import Results
from regress.models.base import save_arrays
from regress.runs.csv_writing import write_frame
from regress.runs.folder import KEYS, MANIFEST, OOF, hashes, new_run, recover_run
from regress.runs.format import result_description, run_description, write_manifest


def save_run(
    experiment: Results,
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
    from regress.runs.drawing import draw_report, write_report_data

    path = as_path(path).absolute()
    table = experiment.oof
    # The command line asked before, and in its own words.
    refuse_existing(path, force=force, in_python=True)
    with new_run(path) as folder:
        (folder / "models").mkdir()
        results = []
        for number, result in enumerate(experiment.results):
            file = result.fitted.save(folder / "models" / f"{number:03d}-{result.model}")
            results.append(
                {
                    **result_description(experiment, result),
                    "file": file.relative_to(folder).as_posix(),
                    "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                }
            )
        write_frame(table, folder / OOF)
        save_arrays(folder / KEYS, {"keys": experiment.task.keys})
        description = {**run_description(experiment), "input": source, "results": results}
        description |= also(folder) if also is not None else {}
        write_report_data(experiment, description, folder, notes=notes(experiment))
        description["sha256"] = hashes(folder)
        content = write_manifest(folder, description)
    note_written_here(content)
    draw_report(path, figures=figures)
    return path


def refuse_existing(
    path: Path, *, force: bool, parts: Path | None = None, in_python: bool = False
) -> None:
    """RunError when a run cannot be written to `path`; `parts` is where a sweep keeps its own."""
    out, replace = ("path", "force=True") if in_python else ("--out", "--force")
    if not is_writable(path.absolute().parent):
        raise RunError(f"{path.absolute().parent} cannot be written to: give another {out}")
    recover_run(path.absolute())
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
