"""Draws the reports of run folders, each in a process of its own.

What renders pictures is a browser's engine in C++ and Rust: where it lacks memory or meets what it
does not know, it ends its process, which must not be the one that has fitted for hours.
"""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import LayerbankError, RunError
from regress.data.source import further_columns
from regress.runs.folder import REPORT_DATA, RunFolder
from regress.runs.format import read_description

if TYPE_CHECKING:
    from regress.evaluation.results import Results
    from regress.report.contents import Contents

log = logging.getLogger(__name__)

#: Seconds after which a report that is still being drawn is given up.
PATIENCE = 900

#: What is said in a report of a run without ``report.json``.
LACKING = (
    "this page is drawn from run.json and oof.csv alone, as the run has no report.json: texts, "
    "their lengths, heat maps and further columns are missing, and each row counts by itself"
)

_CODE = "from regress.runs.drawing import main; main()"


def write_report_data(
    experiment: Results,
    description: Mapping[str, Any],
    folder: Path,
    *,
    notes: Sequence[str],
    weights: Mapping[str, Sequence[tuple[str, float]]] | None = None,
) -> None:
    """Write ``report.json``, which a report is drawn from, into a folder.

    Where it cannot be worked out, for another reason than the disk, that is logged: a run is not
    lost for its report.

    Parameters
    ----------
    description
        What ``run.json`` is to hold.
    notes
        What has to be said beside the scores, a sentence each.
    weights
        By target, a blend's members with their weights.
    """
    from regress.report.contents import all_contents
    from regress.runs.report_file import write_contents

    try:
        contents = all_contents(experiment, _further_columns(experiment, description), weights)
        write_contents(contents, notes, folder / REPORT_DATA)
    except OSError:
        raise
    except Exception as error:
        log.warning("the report will lack much (%s: %s)", type(error).__name__, error)


def draw_report(run: Path, *, figures: bool = False) -> None:
    """Draw a run's report if that can be; what keeps it from being drawn is logged."""
    if why := why_not_drawn(run, figures=figures):
        again = shlex.join(["layerbank", "report", str(run), *["--figures"] * figures])
        log.warning("the run is saved, and its report is not drawn (%s): call %s", why, again)


def why_not_drawn(run: Path, *, figures: bool) -> str:
    """Draw a run's report in another process; what kept it from that, or nothing."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    # -P: what stands where it is called must not take the place of what this process imports.
    command = [sys.executable, "-P", "-c", _CODE, str(run), *["--figures"] * figures]
    try:
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": paths}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    told = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode < 0:
        return f"what draws it was ended by signal {-done.returncode}"
    return told[-1] if told else f"what draws it left with {done.returncode}"


def draw_here(run: Path, *, figures: bool) -> None:
    """Draw a run's report in this process.

    Raises
    ------
    RunError
        The folder holds no run, or one that is damaged.
    CommitError, OSError
        A file could not be written.
    """
    from regress.report.writing import write_report

    loaded = RunFolder(run, *read_description(run))
    contents, notes = _contents(loaded)
    write_report(contents, loaded.description, run, notes=notes, save_figures=figures)


def _contents(run: RunFolder) -> tuple[Sequence[Contents], Sequence[str]]:
    """What a run's report shows, and what is said beside its scores."""
    from regress.runs.report_file import read_contents

    recorded = run.description.get("sha256") or {}
    if REPORT_DATA not in recorded:
        from regress.report.contents import all_contents
        from regress.runs.recorded import recorded_results

        blend = run.description.get("blend")
        weights = {
            target: [(name, float(weight)) for name, weight in found["weights"].items()]
            for target, found in (blend["targets"] if blend else {}).items()
        }
        return all_contents(recorded_results(run), weights=weights), [LACKING]
    try:
        return read_contents(run.content(REPORT_DATA))
    except ValueError as error:
        raise RunError(
            f"{run.path / REPORT_DATA} is damaged ({error}): copy the run again, or repeat it"
        ) from None


def main() -> None:
    """Entry of the process that draws: a run's folder, and ``--figures`` or nothing."""
    run, *more = sys.argv[1:]
    try:
        draw_here(Path(run), figures=bool(more))
    except LayerbankError as error:
        sys.exit(str(error))


def _further_columns(
    experiment: Results, description: Mapping[str, Any]
) -> dict[str, Sequence[object]]:
    """What ``--by`` asked for; nothing where the file has changed, as a blend's may have."""
    try:
        found = further_columns(description.get("input"))
    except LayerbankError as error:
        log.warning("the report has no RMSE by further columns (%s)", error)
        return {}
    if any(len(cells) != len(experiment.folds) for cells in found.values()):
        log.warning("the report has no RMSE by further columns (the file has changed)")
        return {}
    return found
