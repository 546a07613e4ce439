"""The command, or the lines of Python, that repeat a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
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
    if "blend" in description:
        return blend_command(description, run)
    source = description.get("input")
    if any("fold" in bank for bank in description["banks"]):
        made_by = "sweep" if "sweep" in description else "regress"
        return f"layerbank {made_by} --from {shlex.quote(str(run))} --out again"
    return _python(description, run) if source is None else _shell(description, source, run)


def blend_command(description: Mapping[str, Any], run: Path) -> str:
    """What to type to have a blend again; it needs the runs that were blended."""
    blend = description["blend"]
    words = [*(shlex.quote(str(path)) for path in blend["runs"]), f"--method {blend['method']}"]
    return _lines("layerbank blend", [*words, f"--out {shlex.quote(str(run))}"])


def _shell(description: Mapping[str, Any], source: Mapping[str, Any], run: Path) -> str:
    options: list[tuple[str, object]] = [
        *(("--text", name) for name in source.get("text") or ()),
        *(("--target", name) for name in description["targets"]),
        *(("--bank", bank["path"]) for bank in description["banks"]),
        *(("--select", name) for name in _selections(description)),
        *(("--model", name) for name in description["regressors"]),
        *_folds(description["folds"], source),
    ]
    options += [("--by", name) for name in source.get("by") or ()]
    optional = {"--sample-weight": "sample_weight", "--id": "id", "--group": "group",
                "--format": "format"}  # fmt: skip
    options += [(name, source[key]) for name, key in optional.items() if source.get(key)]
    if (source.get("encoding") or "utf-8") != "utf-8":
        options.append(("--encoding", source["encoding"]))
    if (limit := description.get("memory")) is not None:
        options.append(("--memory", f"{limit / 1e9:.10g}"))
    searched = description.get("sweep") or {}
    if searched.get("n_best") is not None:
        options.append(("--best", searched["n_best"]))
    options.append(("--out", run))
    words = [*(["--no-greedy"] if searched.get("greedy") is False else [])]
    words += [f"{name} {shlex.quote(str(value))}" for name, value in options]
    if source.get("skip_empty"):
        words.append("--skip-empty")
    command = "sweep" if "sweep" in description else "regress"
    return _lines(f"layerbank {command} {shlex.quote(str(source['path']))}", words)


def _lines(first: str, words: Iterable[str]) -> str:
    """A command over several lines that are not too long."""
    lines = [first]
    for word in words:
        if len(lines) > 1 and len(lines[-1]) + len(word) < WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f"  {word}")
    return " \\\n".join(lines)


def _folds(folds: Mapping[str, Any], source: Mapping[str, Any]) -> list[tuple[str, object]]:
    if source.get("fold"):
        return [("--fold-column", source["fold"])]
    seeds = [folds["seed"], *(of["seed"] for of in folds.get("repeats") or ())]
    return [
        ("--cv", folds["n_folds"]),
        ("--folds", folds["scheme"]),
        *(("--seed", seed) for seed in seeds),
    ]


def _python(description: Mapping[str, Any], run: Path) -> str:
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
        f"experiment = {called[1]}(\n{inside})\nexperiment.save({str(run)!r})"
    )


def _selections(description: Mapping[str, Any]) -> list[str]:
    """As they were asked for; none for a sweep, which finds its own."""
    if "sweep" in description:
        return list(description.get("selections") or ())
    asked = description.get("selections") or [one["select"] for one in description["results"]]
    return [*dict.fromkeys(asked)]


def _one_or_all(values: list[Any]) -> Any:
    return values if len(values) > 1 else values[0]
