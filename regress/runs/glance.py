"""A run at a glance, and the runs and banks of a folder: as plain values, and as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.text import Text

from features.console.show import encoder_name, human_bytes, number_of, printable
from features.console.tables import aligned, in_lines, plain_table
from features.errors import LayerbankError, RunError
from features.upkeep.summary import describe
from regress.evaluation.leaderboard import Standing
from regress.report.files import REPORT
from regress.report.tables import standings_text
from regress.runs.folder import MANIFEST, RunFolder
from regress.runs.format import read_description
from regress.runs.recorded import recorded_results

#: What a bank's folder holds besides its segments.
BANK = "bank.json"

#: Columns of the names in a folder's table, which is 80 wide.
NAME, ENCODER = 16, 18


class RunGlance(NamedTuple):
    """A run at a glance.

    Attributes
    ----------
    facts
        What it is and how it scored, as plain values.
    standings
        Of each target, its models and, last, the baseline.
    """

    facts: dict[str, Any]
    standings: Mapping[str, Sequence[Standing]]

    def text(self) -> Text:
        """Lines, and a table for each target."""
        text = Text("\n".join(f"{name:<9}{line}" for name, line in _lines(self.facts)))
        for target, standings in self.standings.items():
            text.append(f"\n\n{printable(target)}\n", "bold")
            text.append_text(standings_text(standings))
        return text


def glance_at_run(path: Path) -> RunGlance:
    """Look at a run's folder alone, whose banks may be gone.

    Raises
    ------
    RunError
        It is no run, or a damaged one.
    """
    path = path.absolute()
    run = RunFolder(path, *read_description(path))
    results = recorded_results(run)
    standings = {
        target: [*results.standings(target), results.baseline(target)] for target in run.targets
    }
    folds = results.folds
    facts = {
        **_short(run),
        "banks": [{"name": bank["name"], "path": bank["path"]} for bank in run.banks],
        "input": (run.description.get("input") or {}).get("path"),
        "folds": {
            "scheme": folds.scheme,
            "n_folds": folds.n_folds,
            "seeds": [] if folds.labels else [folds.seed, *run.seeds],
            "hash": folds.digest,
        },
        "versions": run.description["versions"],
        "report": str(path / REPORT) if (path / REPORT).is_file() else None,
        "results": {
            target: [standing.as_dict() for standing in of_target]
            for target, of_target in standings.items()
        },
    }
    return RunGlance(facts, standings)


def describe_folder(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The runs and banks that stand directly in a folder.

    Runs are in the order of their targets, and the lowest RMSE first. What cannot be read is an
    object with ``path`` and ``error``.

    Raises
    ------
    RunError
        There are none.
    """
    runs, banks = [], []
    for child in sorted(path.absolute().iterdir()):
        if (child / MANIFEST).is_file():
            runs.append(_or_error(child, _short_run))
        elif (child / BANK).is_file():
            banks.append(_or_error(child, _short_bank))
    if not runs and not banks:
        raise RunError(
            f"{path} is no run and no bank, and holds none: give what --out or --bank named, or "
            "the folder that it is in"
        )
    runs.sort(key=lambda run: (run.get("targets", []), run.get("rmse", 0.0)))
    return {"runs": runs, "banks": banks}


def folder_text(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Text:
    """What `describe_folder` gave: a table for each target, and one of the banks."""
    parts: list[Text] = []
    read = [run for run in found["runs"] if "error" not in run]
    for targets in dict.fromkeys(tuple(run["targets"]) for run in read):
        named = ", ".join(map(printable, targets))
        first = f" (scores of {printable(targets[0])})" if len(targets) > 1 else ""
        alike = [run for run in read if tuple(run["targets"]) == targets]
        parts.append(_titled(f"runs that predict {named}{first}", _runs_table(alike)))
    if banks := [bank for bank in found["banks"] if "error" not in bank]:
        parts.append(_titled("banks", _banks_table(banks)))
    wrong = [each for each in (*found["runs"], *found["banks"]) if "error" in each]
    if wrong:
        lines = "\n".join(printable(each["error"]) for each in wrong)
        parts.append(_titled("cannot be read", Text(lines)))
    return Text("\n\n").join(parts)


def _titled(title: str, text: Text) -> Text:
    return Text.assemble((f"{title}\n", "bold"), text)


def _or_error(path: Path, look: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    try:
        return look(path)
    except (LayerbankError, OSError) as error:
        return {"path": str(path), "error": str(error)}


def _short_run(path: Path) -> dict[str, Any]:
    return _short(RunFolder(path, *read_description(path)))


def _short(run: RunFolder) -> dict[str, Any]:
    """What a folder's table shows of a run, whose first result is its headline."""
    description = run.description
    created = description.get("created")
    scores = next(iter(description["results"]), {"scores": {"rmse": None}})["scores"]
    return {
        "path": str(run.path),
        "name": run.path.name,
        "made_by": run.made_by,
        "created": created if isinstance(created, str) else None,
        "targets": run.targets,
        "rmse": scores["rmse"],
        "se": scores.get("se"),
        "encoders": [
            *dict.fromkeys(str(bank["source"].get("encoder") or "unknown") for bank in run.banks)
        ],
        "n_texts": description["texts"]["n"],
        "bytes": sum(_sizes(run.path)),
    }


def _short_bank(path: Path) -> dict[str, Any]:
    facts = describe(path)
    written = facts["written"] or {"last": None}
    return {
        **{name: facts[name] for name in ("path", "name", "n_texts", "bytes", "n_layers")},
        "hidden_size": facts["hidden_size"],
        "encoders": [str(facts["encoder"].get("encoder") or "unknown")],
        "written": written["last"],
    }


def _sizes(folder: Path) -> Iterator[int]:
    for file in folder.rglob("*"):
        if not file.is_symlink() and file.is_file():
            yield file.stat().st_size


def _lines(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    made = {"regress": "run", "sweep": "sweep", "blend": "blend"}[facts["made_by"]]
    yield made, printable(facts["path"])
    yield "made", f"{_time(facts['created'])}, layerbank {facts['versions'].get('layerbank', '?')}"
    yield "encoder", printable(", ".join(facts["encoders"]))
    for bank in facts["banks"]:
        yield "bank", printable(bank["path"])
    if facts["input"]:
        yield "input", printable(facts["input"])
    folds = facts["folds"]
    seeds = f"seed {', '.join(map(str, folds['seeds']))}, " if folds["seeds"] else ""
    yield "texts", f"{facts['n_texts']:,}"
    yield "folds", f"{folds['n_folds']} {folds['scheme']} ({seeds}hash {folds['hash'][:12]})"
    yield "size", human_bytes(facts["bytes"])
    drawn = facts["report"] or f"not drawn: `layerbank report {facts['path']}`"
    yield "report", printable(drawn)


def _runs_table(runs: Sequence[Mapping[str, Any]]) -> Text:
    table = plain_table()
    for name in ("RMSE", "± se"):
        table.add_column(name, justify="right")
    for name in ("run", "encoder"):
        table.add_column(name)
    table.add_column("size", justify="right")
    table.add_column("made")
    for run in runs:
        shown = number_of(run["rmse"] or 0.0)
        scores = ["" if run[name] is None else shown(run[name]) for name in ("rmse", "se")]
        table.add_row(
            *map(Text, [*scores, *_names(run)]),
            human_bytes(run["bytes"]),
            _time(run["created"])[:10],
        )
    return aligned(table)


def _banks_table(banks: Sequence[Mapping[str, Any]]) -> Text:
    table = plain_table()
    table.add_column("texts", justify="right")
    for name in ("bank", "encoder", "layers"):
        table.add_column(name)
    table.add_column("size", justify="right")
    table.add_column("written")
    for bank in banks:
        table.add_row(
            f"{bank['n_texts']:,}",
            *map(Text, _names({**bank, "name": Path(bank["path"]).name})),
            f"{bank['n_layers']} × {bank['hidden_size']}",
            human_bytes(bank["bytes"]),
            _time(bank["written"])[:10],
        )
    return aligned(table)


def _names(each: Mapping[str, Any]) -> tuple[str, str]:
    """Names of a run or bank and of its encoders, in as many lines as they take."""
    encoders = ", ".join(map(encoder_name, each["encoders"]))
    return (
        in_lines(printable(each["name"]), NAME, " -_."),
        in_lines(printable(encoders), ENCODER, " -_./"),
    )


def _time(written: str | None) -> str:
    """``2026-11-28 14:33 UTC`` of what ``run.json`` says."""
    return f"{written[:16].replace('T', ' ')} UTC" if written else "unknown"
