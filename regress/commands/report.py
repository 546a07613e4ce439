"""``layerbank report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console.app import QuietOption, say_lines, set_verbosity
from features.errors import RunError
from regress.commands.making import FiguresOption


def report_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)],
    figures: FiguresOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw the report of a run, sweep or blend again, from its folder alone.

    A report.html that came with somebody else's run is a program: this makes it anew from the
    run's numbers and words.

    Example: [bold]layerbank report run --figures[/bold]
    """
    from regress.report.files import FIGURES, REPORT
    from regress.runs.drawing import why_not_drawn
    from regress.runs.run import load_run

    set_verbosity(quiet=quiet)
    path = load_run(run).path
    if why := why_not_drawn(path, figures=figures):
        raise RunError(f"the report of {path} is not drawn ({why})")
    if not quiet:
        also = f", and the figures in {path / FIGURES}" if figures else ""
        say_lines(f"The report is {path / REPORT}: open it in a browser{also}.")
