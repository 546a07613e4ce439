"""The report of an experiment, and its figures, as files of its run folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import vl_convert

from features.errors import LayerbankError
from regress.data.source import further_columns
from regress.evaluation.results import Results
from regress.report.charts import figures
from regress.report.contents import Contents, all_contents
from regress.report.figure import Figure
from regress.report.page import CONFIG, engine_version, render

log = logging.getLogger(__name__)


REPORT, FIGURES = "report.html", "figures"


def write_report(
    experiment: Results,
    description: Mapping[str, Any],
    folder: Path,
    *,
    notes: Sequence[str],
    weights: Mapping[str, Sequence[tuple[str, float]]] | None = None,
    run: Path | None = None,
    save_figures: bool = False,
) -> Path | None:
    """Write ``report.html``, and ``figures/`` if wanted, into a folder.

    Parameters
    ----------
    description
        What ``run.json`` holds.
    folder
        Where to write.
    notes
        What has to be said beside the scores, a sentence each.
    weights
        By target, a blend's members with their weights.
    run
        The folder that the run will have, where that is another.
    save_figures
        Whether to write each figure as PNG and as SVG.

    Returns
    -------
    The file; None where it could not be made for another reason than the disk, which is logged.
    """
    try:
        by = _further_columns(experiment, description)
        drawn = [(found, figures(found)) for found in all_contents(experiment, by, weights)]
        path = folder / REPORT
        path.write_text(render(drawn, description, run or folder, notes), encoding="utf-8")
        if save_figures:
            _write_figures(drawn, folder / FIGURES)
        return path
    except OSError:
        raise
    except Exception as error:
        # Hours of fitting are not thrown away for a picture.
        log.warning("the report could not be made (%s: %s)", type(error).__name__, error)
        return None


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


def _write_figures(drawn: Sequence[tuple[Contents, Sequence[Figure]]], folder: Path) -> None:
    """Each figure as PNG and as SVG; their names begin with the target's number where several."""
    folder.mkdir()
    for number, (contents, of_target) in enumerate(drawn, start=1):
        prefix = f"{number}-" if len(drawn) > 1 else ""
        columns = contents.points()
        rows = zip(*columns.values(), strict=True)
        points = [dict(zip(columns, row, strict=True)) for row in rows]
        for figure in of_target:
            _write_figure(figure, points, folder / f"{prefix}{figure.name}")


def _write_figure(figure: Figure, points: Sequence[Mapping[str, Any]], stem: Path) -> None:
    spec = figure.chart.properties(width=figure.width, title=figure.title).to_dict()
    spec["config"] = {**CONFIG, "background": "white", "font": "sans-serif", "padding": 12}
    if figure.needs_points:
        spec["datasets"] = {**spec.get("datasets", {}), "points": points}
    version = engine_version()
    png = vl_convert.vegalite_to_png(spec, vl_version=version, scale=2)
    svg = vl_convert.vegalite_to_svg(spec, vl_version=version)
    stem.with_suffix(".png").write_bytes(png)
    stem.with_suffix(".svg").write_text(svg, encoding="utf-8")
