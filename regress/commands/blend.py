"""``layerbank blend``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console.app import (
    ForceOption,
    JsonOption,
    QuietOption,
    on_stdout,
    one_of,
    say_json,
    say_lines,
    set_verbosity,
)
from features.errors import InputError
from regress.commands.making import (
    FiguresOption,
    OutOption,
    predict_next,
    refuse_beside_from,
    say_repeated,
    where_it_is,
)


def blend_command(
    out: OutOption,
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN…", help="Runs' folders.", show_default=False),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            autocompletion=one_of("nnls", "ridge"),
            help="nnls (weights of 0 or more), or ridge (near equal).",
            show_default="nnls",
        ),
    ] = None,
    repeated: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="BLEND",
            help="Repeat this blend exactly; RUN… says where its runs are now.",
            show_default=False,
        ),
    ] = None,
    figures: FiguresOption = False,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Blend all models of several runs, weighted by their out-of-fold predictions.

    The runs must have the same texts, targets, weights and folds, and bring all of these along.
    The blend is a run that lives without them, and predicts like any other.

    Example: [bold]layerbank blend run1 run2 swept --out blended[/bold]
    """
    from regress.blend import blend, save_blend
    from regress.blend.output import blend_json, blend_text
    from regress.blend.repeat import repeat_blend, repeated_text
    from regress.runs.save import refuse_existing

    set_verbosity(quiet=quiet)
    refuse_existing(out, force=force)
    if repeated is not None:
        refuse_beside_from({"--method": method})
        blended = repeat_blend(repeated, runs or ())
        say_repeated(repeated_text(repeated, blended), quiet=quiet)
    else:
        if not runs:
            raise InputError("blend takes the runs to blend, or --from and the blend to repeat")
        blended = blend(runs, method=method or "nnls")
    save_blend(blended, out, force=force, figures=figures)
    if json:
        say_json(blend_json(blended, str(out)))
    else:
        on_stdout(blend_text(blended))
    if not quiet:
        say_lines(
            f"\n{where_it_is('blend', out)}\nPredict new texts with\n  {predict_next(out)}",
            err=True,
        )
