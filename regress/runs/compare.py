"""Runs beside each other: which scores better on the same texts and folds, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from features.errors import InputError
from regress.evaluation.leaderboard import LeaderboardRow, Standing
from regress.evaluation.notes import headline
from regress.runs.folder import RunFolder
from regress.runs.recorded import RecordedResults, recorded_results, texts_at_hand
from regress.runs.run import load_run


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs on the same texts, targets and folds.

    Attributes
    ----------
    runs
        Their names: those of their folders, as far up as tells them apart.
    standings
        Of each target, a row for each run, the lowest RMSE first and each against the first; a
        row is the run's best model, or what its sweep chose, or its blend.
    baselines
        Of each target, the training mean against the first row.
    n_texts, folds
        What they were scored on: number of texts, and the first hash of the folds.
    """

    runs: Sequence[str]
    standings: Mapping[str, Sequence[Standing]]
    baselines: Mapping[str, Standing]
    n_texts: int
    folds: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "n_texts": self.n_texts,
            "folds": self.folds,
            "results": {
                target: [
                    {
                        "run": standing.row.name,
                        **standing.as_dict(),
                        "se_behind": standing.behind.se,
                    }
                    for standing in standings
                ]
                for target, standings in self.standings.items()
            },
            "baseline": {target: each.as_dict() for target, each in self.baselines.items()},
        }


def compare_runs(paths: Sequence[str | Path]) -> Comparison:
    """Compare the headlines of several runs, pair by pair of predictions of the same text.

    Raises
    ------
    InputError
        Fewer than two runs, or runs with other texts, targets, weights or folds.
    RunError
        A folder that is no run, or a damaged one.
    """
    runs = [load_run(path) for path in dict.fromkeys(Path(path).absolute() for path in paths)]
    if len(runs) < 2:
        raise InputError("name two runs or more to compare")
    for other in runs[1:]:
        refuse_other(runs[0], other, "they cannot be compared")
    names = run_names(runs)
    texts, groups = texts_at_hand(runs[0])  # copies of a text and members of a group are no pairs
    results = [recorded_results(run, texts=texts, groups=groups) for run in runs]
    first = results[0]
    standings, baselines = {}, {}
    for target in runs[0].targets:
        rows = [_row(name, each, target) for name, each in zip(names, results, strict=True)]
        standings[target] = first.standings(target, rows)
        baselines[target] = replace(first, recorded={target: rows}).baseline(target)
    return Comparison(names, standings, baselines, len(first.folds), first.folds.short)


def _row(name: str, results: RecordedResults, target: str) -> LeaderboardRow:
    """A run's headline under the run's name."""
    row = headline(results.standings(target)).row
    return replace(row, name=f"{name}: {row.label}")


def refuse_other(first: RunFolder, other: RunFolder, so: str) -> None:
    """InputError unless two runs have the same texts, targets, weights and folds.

    Parameters
    ----------
    so
        What follows from it: ``"they cannot be compared"``.
    """
    for what, ours, theirs in (
        ("texts", first.description["texts"]["keys"], other.description["texts"]["keys"]),
        ("targets", first.targets, other.targets),
        (
            "target values or weights",
            first.description["texts"]["targets"],
            other.description["texts"]["targets"],
        ),
        ("folds", _hashes(first), _hashes(other)),
    ):
        if ours != theirs:
            raise InputError(
                f"{first.path} and {other.path} have different {what}"
                f"{_told(what, first, other)}, so {so}: repeat one like the other"
            )


def _told(what: str, first: RunFolder, other: RunFolder) -> str:
    """In what two runs differ, in a few words."""
    if what == "texts":
        counts = [run.description["texts"]["n"] for run in (first, other)]
        return f" ({counts[0]} and {counts[1]})" if counts[0] != counts[1] else " or another order"
    if what == "targets":
        return f" ({', '.join(first.targets)} and {', '.join(other.targets)})"
    return f" ({_hashes(first)} and {_hashes(other)})" if what == "folds" else ""


def _hashes(run: RunFolder) -> str:
    """The beginning of the hash of each split into folds."""
    folds = run.description["folds"]
    return ", ".join(split["hash"][:12] for split in (folds, *folds["repeats"]))


def run_names(runs: Sequence[RunFolder]) -> list[str]:
    """What the runs' folders are called, with as many folders above them as tell them apart."""
    paths = [run.path.parts for run in runs]
    depth = 1
    while len({path[-depth:] for path in paths}) < len({*paths}):
        depth += 1
    short = [path[-1] for path in paths]
    return [
        name if short.count(name) == 1 else "/".join(path[-depth:])
        for name, path in zip(short, paths, strict=True)
    ]
