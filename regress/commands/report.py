"""``layerbank report``."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from features.console.app import QuietOption, say, say_lines, set_verbosity
from features.errors import RunError
from regress.commands.making import FiguresOption


def report_command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)],
    figures: FiguresOption = False,
    open: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Draw the report of a run, sweep or blend again, from its folder alone.

    A report.html that came with somebody else's run is a program: this makes it anew from the
    run's numbers and words.

    Example: [bold]layerbank report run --open[/bold]
    """
    from regress.report.files import FIGURES, REPORT
    from regress.runs.drawing import why_not_drawn
    from regress.runs.run import load_run

    set_verbosity(quiet=quiet)
    path = load_run(run).path
    if why := why_not_drawn(path, figures=figures):
        raise RunError(f"the report of {path} is not drawn ({why})")
    page = path / REPORT
    if open and not webbrowser.open(page.as_uri()):
        say(f"no browser was found here: open {page} where there is one", err=True)
    if not quiet:
        also = f", and the figures in {path / FIGURES}" if figures else ""
        say_lines(f"The report is {page}: open it in a browser{also}.")
