"""A blend's run folder: a run that `regress.persistence.load_run` reads, its bases' models in it.

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

from features.disk.atomic import new_folder
from features.errors import RunError
from regress.blend.blending import Blend, Blended, blend
from regress.blend.results import blend_results, largest_weights, notes_on_blend
from regress.evaluation.oof import (
    FOLD,
    FOLDS,
    IDS,
    PREDICTIONS,
    TARGET,
    WEIGHT,
    WEIGHTS,
    labelled,
    refuse_shared_names,
    seeded,
)
from regress.models.base import Matrix
from regress.runs.csv_writing import write_rows
from regress.runs.folder import INNER, MANIFEST, OOF, SCRATCH, hashes
from regress.runs.format import FORMAT, VERSION, as_json, plain, versions
from regress.runs.run import Run, load_run
from regress.runs.save import refuse_existing

MODEL = "blend"


def save_blend(
    blend: Blend, path: str | Path, *, force: bool = False, figures: bool = False
) -> Path:
    """Write a run folder; `figures` as `regress.persistence.save_run`.

    Raises
    ------
    RunError
        Something is there already, or cannot be written.
    InputError
        A target or the ids are called like what ``oof.csv`` holds beside them.
    """
    from regress.report.writing import write_report

    path = Path(path).absolute()
    refuse_existing(path, force=force)
    table = oof_columns(blend)
    first = blend.runs[0].description
    banks = {bank["name"]: bank for bank in blend.banks}
    with new_folder(path, keep=SCRATCH) as folder:
        (folder / "models").mkdir()
        results = []
        for number, one in enumerate(blend.targets):
            model, width = one.model(banks)
            file = model.save(folder / "models" / f"{number:03d}-{MODEL}")
            results.append(
                _described(blend, one, width)
                | {
                    "file": file.relative_to(folder).as_posix(),
                    "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                }
            )
        with (folder / OOF).open("w", encoding="utf-8", newline="") as written:
            write_rows(written, [[*table], *zip(*table.values(), strict=True)])
        description = {
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
                    one.target: {
                        "scores": one.label,
                        "intercept": one.weights.intercept,
                        "weights": weights_of(one),
                    }
                    for one in blend.targets
                },
            },
            "results": results,
            "sha256": hashes(folder),
        }
        (folder / MANIFEST).write_text(as_json(description) + "\n", encoding="utf-8")
        write_report(
            blend_results(blend), description, folder, notes=notes_on_blend(first),
            weights=largest_weights(blend), run=path, save_figures=figures,
        )  # fmt: skip
    return path


def content_of(run: Run) -> str:
    """SHA-256, in hex, of everything of a run that a blend depends on."""
    digest = hashlib.sha256()
    for file in (OOF, INNER):
        path = run.path / file
        digest.update(path.read_bytes() if path.exists() else b"")
    for model in run.models:
        digest.update(model.sha256.encode())
    return digest.hexdigest()


def repeat_blend(path: str | Path, runs: Sequence[str | Path] = ()) -> Blend:
    """Blend again what a blend was made of, in the same way.

    Parameters
    ----------
    path
        The blend's run folder.
    runs
        Where its runs are now, in their order; none for where they were.

    Raises
    ------
    RunError
        It is no blend, or its runs are gone or have changed.
    """
    run = load_run(path)
    made = run.description.get("blend")
    if made is None:
        made_by = "sweep" if "sweep" in run.description else "regress"
        raise RunError(
            f"{run.path} was made by `layerbank {made_by}`: repeat it with "
            f"`layerbank {made_by} --from {run.path}`"
        )
    again = blend([*(runs or made["runs"])], method=made["method"])
    for one, recorded in zip(again.runs, made.get("sha256", ()), strict=False):
        if content_of(one) != recorded:
            raise RunError(
                f"the run {one.path} is not the one that {run.path} was made of: name that, or "
                "make a new blend"
            )
    return again


def verdict(path: str | Path, again: Blend) -> str:
    """Whether a repeated blend has the numbers of the first, to the last digit."""
    run = load_run(path)
    then = [(one["target"], one["scores"], one["naive_rmse"]) for one in run.description["results"]]
    weights = {name: of["weights"] for name, of in run.description["blend"]["targets"].items()}
    now = [(one.target, asdict(one.scores), one.naive_rmse) for one in again.targets]
    same = plain(then) == plain(now) and [[*of.values()] for of in weights.values()] == [
        one.weights.values.tolist() for one in again.targets
    ]
    if same:
        return f"all numbers are those of {run.path}, to the last digit"
    return f"warning: numbers of the blend are not those of {run.path} (another processor?)"


def weights_of(one: Blended) -> dict[str, float]:
    """The weight of each base, by name."""
    values = one.weights.values.tolist()
    return {base.name: weight for base, weight in zip(one.bases, values, strict=True)}


def blend_json(blend: Blend, out: str) -> str:
    """Scores and weights for programs."""
    targets = [
        {
            "target": one.target,
            **asdict(one.scores),
            "naive_rmse": one.naive_rmse,
            "best_base_rmse": one.best,
            "scores": one.label,
            "weights": weights_of(one),
        }
        for one in blend.targets
    ]
    report = {
        "run": out,
        "method": blend.method,
        "notes": notes_on_blend(blend.runs[0].description),
        "results": targets,
    }
    return as_json(report)


def blend_text(blend: Blend) -> str:
    """Scores and weights for people."""
    lines = notes_on_blend(blend.runs[0].description)
    for one in blend.targets:
        scores = one.scores
        lines += [
            f"{one.target}: nested RMSE {scores.rmse:.4f} ± {scores.se:.4f} (R² {scores.r2:.3f}); "
            f"best base {one.best:.4f}",
            f"  {one.label}",
        ]
        named = sorted(weights_of(one).items(), key=lambda item: -item[1])
        lines += [f"  {weight:6.3f}  {name}" for name, weight in named]
    return "\n".join(lines)


def _described(blend: Blend, one: Blended, width: int) -> dict[str, Any]:
    return {
        "model": MODEL,
        "select": "+".join(dict.fromkeys(base.saved.select for base in one.bases)),
        "target": one.target,
        "blocks": [
            {"bank": term.bank, "blocks": [list(b) for b in term.blocks], "average": term.average}
            for term in one.terms
        ],
        "n_columns": width,
        "scores": asdict(one.scores),
        "naive_rmse": one.naive_rmse,
        "fold_rmse": one.fold_rmse,
        "fold_params": [],
        "params": {},
        "seconds": 0.0,
        "column": _column(blend, one),
        "repeats": [
            {name: getattr(repeat, name) for name in ("naive_rmse", "fold_rmse", "fold_params")}
            | {"scores": asdict(repeat.scores)}
            for repeat in one.repeats
        ],
    }


def _column(blend: Blend, one: Blended) -> str:
    return labelled(MODEL, one.target, blend.runs[0].targets)


def oof_columns(blend: Blend) -> dict[str, Sequence[object]]:
    """Columns of the blend's ``oof.csv``: those of all runs, then its bases and the blend itself.

    Raises
    ------
    InputError
        Two would have one name.
    """
    first, table = blend.runs[0], blend.table
    seeds = [of["seed"] for of in first.description["folds"]["repeats"]]
    kept = [(next(iter(table)), IDS), (FOLD, FOLDS), *((name, TARGET) for name in first.targets)]
    kept += [(WEIGHT, WEIGHTS)] if first.description["texts"].get("weighted") else []
    kept += [(seeded(FOLD, seed), FOLDS) for seed in seeds]
    predicted: list[tuple[str, Matrix]] = []
    for one in blend.targets:
        of_blend = [one.predictions, *(repeat.predictions for repeat in one.repeats)]
        for at, seed in enumerate([None, *seeds]):
            columns = [(base.name, base.predictions[at]) for base in one.bases]
            for name, values in [*columns, (_column(blend, one), of_blend[at])]:
                predicted.append((name if seed is None else seeded(name, seed), values))
    refuse_shared_names([*kept, *((name, PREDICTIONS) for name, _ in predicted)])
    return {
        **{name: table[name] for name, _ in kept},
        **{name: values.tolist() for name, values in predicted},
    }
