"""A blend's run folder: a run that `regress.persistence.load_run` reads, its bases' models in it.

Its ``run.json`` has the object ``blend`` besides: the runs, the method, each base's weight, and
what the scores are scores of.
"""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from regress.blend import Blend, Blended
from regress.description import FORMAT, VERSION, plain, versions
from regress.persistence import MANIFEST, new_folder, refuse_existing

MODEL = "blend"


def save_blend(blend: Blend, path: str | Path, *, force: bool = False) -> Path:
    """Write a run folder.

    Raises
    ------
    RunError
        Something is there already, or cannot be written.
    """
    path = Path(path).absolute()
    refuse_existing(path, force=force)
    first = blend.runs[0].description
    banks = {bank["name"]: bank for bank in blend.banks}
    with new_folder(path) as folder:
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
        _write_oof(blend, folder / "oof.csv")
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
        }
        text = json.dumps(plain(description), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return path


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
    return json.dumps({"run": out, "method": blend.method, "results": plain(targets)}, indent=1)


def blend_text(blend: Blend) -> str:
    """Scores and weights for people."""
    lines = []
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
    several = len(blend.targets) > 1
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
        "column": f"{one.target}: {MODEL}" if several else MODEL,
    }


def _write_oof(blend: Blend, path: Path) -> None:
    used = {r["column"] for run in blend.runs for r in run.description["results"]}
    kept = {name: list(column) for name, column in blend.table.items() if name not in used}
    for number, one in enumerate(blend.targets):
        for base in one.bases:
            kept[base.name] = [repr(float(value)) for value in base.predictions]
        column = _described(blend, blend.targets[number], 0)["column"]
        kept[column] = [repr(float(value)) for value in one.predictions]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(kept)
        writer.writerows(zip(*kept.values(), strict=True))
