"""``layerbank compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console.app import (
    ForceOption,
    JsonOption,
    QuietOption,
    on_stdout,
    say,
    say_json,
    say_lines,
)
from features.errors import InputError

#: Endings of the picture's file.
PICTURES = (".png", ".svg")


def compare_command(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Runs' folders.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Also draw it: a .png or .svg file.", show_default=False
        ),
    ] = None,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare runs: who is better on the same texts and folds, and by more than chance?

    Of each run it takes the best model, what its sweep chose, or its blend. Differences are
    paired, text by text, so they are known far better than the scores themselves. Runs on other
    texts, targets or folds are refused.

    Example: [bold]layerbank compare run swept blended[/bold]
    """
    from features.console.show import printable
    from features.disk.atomic import replacing
    from regress.report.comparison import comparison_figure, comparison_text
    from regress.report.writing import drawn_figure
    from regress.runs.compare import compare_runs
    from regress.runs.format import as_json

    if out is not None and out.suffix.lower() not in PICTURES:
        raise InputError(f"--out takes a .png or .svg file, not {out.name}")
    comparison = compare_runs(runs)
    if json:
        say_json(as_json(comparison.as_dict()))
    else:
        say_lines(f"{comparison.n_texts} texts, folds {comparison.folds}")
        for target, standings in comparison.standings.items():
            say_lines(f"\n{printable(target)}")
            on_stdout(comparison_text(standings, comparison.baselines[target]))
    if out is None:
        return
    several = len(comparison.standings) > 1
    for number, (target, standings) in enumerate(comparison.standings.items(), start=1):
        path = out.with_stem(f"{out.stem}-{number}") if several else out
        if path.exists() and not force:
            raise InputError(f"{path} exists: give another --out, or --force to replace it")
        png, svg = drawn_figure(comparison_figure(target, standings))
        with replacing(path) as file:
            file.write(svg.encode() if path.suffix.lower() == ".svg" else png)
        if not quiet:
            say(f"The picture is {path}.", err=True)
