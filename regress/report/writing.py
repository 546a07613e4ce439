"""A report, and its figures, as files of a run's folder."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import vl_convert

from features.disk.atomic import replacing
from features.disk.folders import new_folder
from regress.report.charts import figures
from regress.report.contents import Contents
from regress.report.figure import Figure
from regress.report.files import FIGURES, REPORT
from regress.report.page import CONFIG, engine_version, render

log = logging.getLogger(__name__)


def write_report(
    contents: Sequence[Contents],
    description: Mapping[str, Any],
    folder: Path,
    *,
    notes: Sequence[str],
    save_figures: bool = False,
) -> None:
    """Write ``report.html``, and then ``figures/`` if wanted, into a run's folder.

    Parameters
    ----------
    contents
        Of each target.
    description
        What ``run.json`` holds.
    folder
        The run's folder.
    notes
        What has to be said beside the scores, a sentence each.
    save_figures
        Whether to write each figure as PNG and as SVG.

    Raises
    ------
    CommitError, OSError
        When a file could not be written; what stood there before is whole.
    """
    drawn = [(of_target, figures(of_target)) for of_target in contents]
    with replacing(folder / REPORT) as file:
        file.write(render(drawn, description, folder, notes).encode())
    if save_figures:
        with new_folder(folder / FIGURES) as made:
            _write_figures(drawn, made)


def _write_figures(drawn: Sequence[tuple[Contents, Sequence[Figure]]], folder: Path) -> None:
    """Each figure as PNG and as SVG; their names begin with the target's number where several."""
    for number, (contents, of_target) in enumerate(drawn, start=1):
        prefix = f"{number}-" if len(drawn) > 1 else ""
        columns = contents.points()
        rows = zip(*columns.values(), strict=True)
        points = [dict(zip(columns, row, strict=True)) for row in rows]
        for figure in of_target:
            # Banks and regressors stand in it, whose names are somebody's own.
            name = re.sub(r"[^\w .@=-]", "-", figure.name)
            png, svg = drawn_figure(figure, points)
            (folder / f"{prefix}{name}.png").write_bytes(png)
            (folder / f"{prefix}{name}.svg").write_text(svg, encoding="utf-8")


def drawn_figure(figure: Figure, points: Sequence[Mapping[str, Any]] = ()) -> tuple[bytes, str]:
    """A figure as PNG and as SVG, on white; `points` are rows of `Contents.points`."""
    spec = figure.chart.properties(width=figure.width, title=figure.title).to_dict()
    spec["config"] = {**CONFIG, "background": "white", "font": "sans-serif", "padding": 12}
    if figure.needs_points:
        spec["datasets"] = {**spec.get("datasets", {}), "points": points}
    spec, version = _drawable(spec), engine_version()
    png = vl_convert.vegalite_to_png(spec, vl_version=version, scale=2)
    svg = vl_convert.vegalite_to_svg(spec, vl_version=version)
    return png, svg


def _drawable(value: Any) -> Any:
    """A figure without characters that XML cannot hold: over these the renderer ends its process.

    They are control characters, halves of surrogate pairs, and two that are none.
    """
    if isinstance(value, Mapping):
        return {_drawable(key): _drawable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_drawable(item) for item in value]
    if not isinstance(value, str):
        return value
    return "".join(
        "\ufffd" if unicodedata.category(c) in ("Cc", "Cs") or c in "\ufffe\uffff" else c
        for c in value
    )
