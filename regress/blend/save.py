"""A blend's run folder: a run that `regress.load_run` reads, its bases' models in it.

Its ``run.json`` has the object ``blend`` besides: the runs, the method, each base's weight, and
what the scores are scores of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.disk.notes import note_written_here
from features.paths import as_path
from regress.blend.blended import MODEL, Blend, Blended
from regress.compute.arrays import Matrix
from regress.evaluation.oof import (
    FOLD,
    FOLDS,
    IDS,
    PREDICTIONS,
    TARGET,
    WEIGHT,
    WEIGHTS,
    as_cells,
    refuse_shared_names,
    seeded,
)
from regress.models.base import save_arrays
from regress.runs.csv_writing import write_rows
from regress.runs.folder import INNER, KEYS, OOF, hashes, new_run, read_checked
from regress.runs.format import FORMAT, VERSION, versions, write_manifest
from regress.runs.run import Run
from regress.runs.save import refuse_existing


def save_blend(
    blend: Blend, path: str | Path, *, force: bool = False, figures: bool = False
) -> Path:
    """Write a run folder; `figures` as `regress.runs.save.save_run`.

    Raises
    ------
    RunError
        Something is there already, or cannot be written.
    InputError
        A target or the ids are called like what ``oof.csv`` holds beside them.
    """
    from regress.blend.results import blend_results, largest_weights, notes_on_blend
    from regress.runs.drawing import draw_report, write_report_data

    path = as_path(path).absolute()
    refuse_existing(path, force=force)
    table = _oof_columns(blend)
    with new_run(path) as folder:
        results = _saved_models(blend, folder)
        with (folder / OOF).open("w", encoding="utf-8", newline="") as file:
            write_rows(file, [[*table], *zip(*table.values(), strict=True)])
        if len(keys := blend.runs[0].training_keys()):
            save_arrays(folder / KEYS, {"keys": keys})
        here = all(run.written_here for run in blend.runs)
        description = {**_description(blend), "results": results}
        # Where somebody else's run came from is not read.
        shown = description if here else {**description, "input": None}
        shown_results = blend_results(blend)
        write_report_data(
            shown_results, shown, folder, notes=notes_on_blend(blend, shown_results),
            weights=largest_weights(blend),
        )  # fmt: skip
        description["sha256"] = hashes(folder)
        content = write_manifest(folder, description)
    if here:
        note_written_here(content)
    draw_report(path, figures=figures)
    return path


def content_of(run: Run) -> str:
    """SHA-256, in hex, of everything of a run that a blend depends on."""
    digest = hashlib.sha256()
    for name in (OOF, INNER):
        path = run.path / name
        digest.update(read_checked(path, None) if path.exists() else b"")
    for model in run.models:
        digest.update(model.sha256.encode())
    return digest.hexdigest()


def _oof_columns(blend: Blend) -> dict[str, Sequence[object]]:
    """Columns of the blend's ``oof.csv``: those of all runs, then its bases and the blend itself.

    Raises
    ------
    InputError
        Two would have one name.
    """
    first, table = blend.runs[0], blend.table
    seeds = [repeat["seed"] for repeat in first.description["folds"]["repeats"]]
    kept = [(next(iter(table)), IDS), (FOLD, FOLDS), *((name, TARGET) for name in first.targets)]
    kept += [(WEIGHT, WEIGHTS)] if first.description["texts"].get("weighted") else []
    kept += [(seeded(FOLD, seed), FOLDS) for seed in seeds]
    predicted: list[tuple[str, Matrix]] = []
    for blended in blend.targets:
        own = [blended.predictions, *(repeat.predictions for repeat in blended.repeats)]
        for number, seed in enumerate([None, *seeds]):
            columns = [(base.name, base.predictions[number]) for base in blended.bases]
            for name, values in [*columns, (blend.column(blended), own[number])]:
                predicted.append((name if seed is None else seeded(name, seed), values))
    refuse_shared_names([*kept, *((name, PREDICTIONS) for name, _ in predicted)])
    return {
        **{name: table[name] for name, _ in kept},
        **{name: as_cells(values) for name, values in predicted},
    }


def _saved_models(blend: Blend, folder: Path) -> list[dict[str, Any]]:
    """Write the model of each target; what ``run.json`` says of them."""
    (folder / "models").mkdir()
    banks = {bank["name"]: bank for bank in blend.banks}
    results = []
    for number, blended in enumerate(blend.targets):
        model, n_columns = blended.model(banks)
        file = model.save(folder / "models" / f"{number:03d}-{MODEL}")
        described = _described(blend, blended, n_columns)
        described["file"] = file.relative_to(folder).as_posix()
        described["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        results.append(described)
    return results


def _described(blend: Blend, blended: Blended, n_columns: int) -> dict[str, Any]:
    return {
        "model": MODEL,
        "select": blended.select,
        "target": blended.target,
        "blocks": [
            {
                "bank": term.bank,
                "blocks": [list(block) for block in term.blocks],
                "average": term.average,
            }
            for term in blended.terms
        ],
        "n_columns": n_columns,
        "scores": asdict(blended.scores),
        "naive_rmse": blended.naive_rmse,
        "fold_rmse": blended.fold_rmse,
        "fold_params": [],
        "params": {},
        "seconds": 0.0,
        "column": blend.column(blended),
        "repeats": [
            {
                "naive_rmse": repeat.naive_rmse,
                "fold_rmse": repeat.fold_rmse,
                "fold_params": repeat.fold_params,
                "scores": asdict(repeat.scores),
            }
            for repeat in blended.repeats
        ],
    }


def _description(blend: Blend) -> dict[str, Any]:
    """What ``run.json`` holds besides the results."""
    first = blend.runs[0].description
    return {
        "format": FORMAT,
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "banks": blend.banks,
        "texts": first["texts"],
        "targets": first["targets"],
        "folds": first["folds"],
        "regressors": {},
        "versions": dict(versions()),
        "input": first.get("input"),
        "blend": {
            "runs": [str(run.path) for run in blend.runs],
            "sha256": [content_of(run) for run in blend.runs],
            "method": blend.method,
            "targets": {
                blended.target: {
                    "scores": blended.label,
                    "intercept": blended.weights.intercept,
                    "weights": blended.named_weights,
                }
                for blended in blend.targets
            },
        },
    }
