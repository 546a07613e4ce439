"""The command, or the lines of Python, that repeat a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def repeat_command(description: Mapping[str, Any], run: Path) -> str:
    """What to type to have this run again.

    Parameters
    ----------
    description
        What ``run.json`` holds.
    run
        The run's folder.
    """
    made = next((of for of in ("blend", "sweep") if of in description), "regress")
    # With one bank a fold, lines of Python would need the pattern of their paths.
    with_folds = any("fold" in bank for bank in description["banks"])
    if made == "blend" or with_folds or description.get("input") is not None:
        return f"layerbank {made} --from {shlex.quote(str(run))} --out again"
    return _python(description)


def _python(description: Mapping[str, Any]) -> str:
    folds = description["folds"]
    banks = [bank["path"] for bank in description["banks"]]
    seeds = [folds["seed"], *(of["seed"] for of in folds.get("repeats") or ())]
    arguments = [
        f"{_one_or_all(banks)!r}, texts, y",
        *([] if "sweep" in description else [f"select={_selections(description)}"]),
        f"models={[*description['regressors']]}",
        "folds=folds"
        if folds.get("labels")
        else f"cv={folds['n_folds']}, folds={folds['scheme']!r}, random_state={_one_or_all(seeds)}",
        *(["groups=groups"] if folds["scheme"] == "group" else []),
        *(["sample_weight=weights"] if description["texts"].get("weighted") else []),
    ]
    called = ("regress.sweep", "sweep") if "sweep" in description else ("layerbank", "evaluate")
    inside = "".join(f"    {argument},\n" for argument in arguments)
    return (
        f"from {called[0]} import {called[1]}\n\n"
        f"experiment = {called[1]}(\n{inside})\nexperiment.save('again')"
    )


def _selections(description: Mapping[str, Any]) -> list[str]:
    """As they were asked for; none for a sweep, which finds its own."""
    if "sweep" in description:
        return list(description.get("selections") or ())
    asked = description.get("selections") or [one["select"] for one in description["results"]]
    return [*dict.fromkeys(asked)]


def _one_or_all(values: list[Any]) -> Any:
    return values if len(values) > 1 else values[0]
