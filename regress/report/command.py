"""The command, or the lines of Python, that repeat a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Characters of a line before it is broken.
WIDTH = 90


def repeat_command(description: Mapping[str, Any], run: Path) -> str:
    """What to type to have this run again.

    Parameters
    ----------
    description
        What ``run.json`` holds.
    run
        The run's folder.
    """
    source = description.get("input")
    return _python(description, run) if source is None else _shell(description, source, run)


def _shell(description: Mapping[str, Any], source: Mapping[str, Any], run: Path) -> str:
    folds = description["folds"]
    options: list[tuple[str, object]] = [
        *(("--text", name) for name in source.get("text") or ()),
        *(("--target", name) for name in description["targets"]),
        *(("--bank", bank["path"]) for bank in description["banks"]),
        *(("--select", name) for name in _selections(description)),
        *(("--model", name) for name in description["regressors"]),
        ("--cv", folds["n_folds"]),
        ("--folds", folds["scheme"]),
        ("--seed", folds["seed"]),
    ]
    optional = {"--id": "id", "--group": "group", "--format": "format"}
    options += [(name, source[key]) for name, key in optional.items() if source.get(key)]
    if source.get("encoding", "utf-8") != "utf-8":
        options.append(("--encoding", source["encoding"]))
    options.append(("--out", run))
    words = [f"{name} {shlex.quote(str(value))}" for name, value in options]
    if source.get("skip_empty"):
        words.append("--skip-empty")
    lines = [f"layerbank regress {shlex.quote(str(source['path']))}"]
    for word in words:
        if len(lines) > 1 and len(lines[-1]) + len(word) < WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f"  {word}")
    return " \\\n".join(lines)


def _python(description: Mapping[str, Any], run: Path) -> str:
    folds = description["folds"]
    banks = [bank["path"] for bank in description["banks"]]
    groups = ", groups=groups" if folds["scheme"] == "group" else ""
    return "\n".join(
        [
            "from layerbank import evaluate",
            "",
            "experiment = evaluate(",
            f"    {banks if len(banks) > 1 else banks[0]!r}, texts, y,",
            f"    select={_selections(description)},",
            f"    models={[*description['regressors']]},",
            f"    cv={folds['n_folds']}, folds={folds['scheme']!r}{groups}, "
            f"random_state={folds['seed']},",
            ")",
            f"experiment.save({str(run)!r})",
        ]
    )


def _selections(description: Mapping[str, Any]) -> list[str]:
    return [*dict.fromkeys(result["select"] for result in description["results"])]
