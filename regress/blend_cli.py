"""``layerbank blend``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console import ForceOption, JsonOption, QuietOption, set_verbosity


def blend_command(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Runs' folders.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="RUN", help="The folder to make.", show_default=False),
    ],
    method: Annotated[
        str,
        typer.Option(
            "--method", metavar="NAME", help="nnls (weights of 0 or more), or ridge (near equal)."
        ),
    ] = "nnls",
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Blend all models of several runs, weighted by their out-of-fold predictions.

    The runs must have the same texts, targets and folds. The blend is a run that lives without
    them, and predicts like any other.

    Example: [bold]layerbank blend run1 run2 swept --out blended[/bold]
    """
    from regress.blend import blend
    from regress.blend_files import blend_json, blend_text, save_blend
    from regress.persistence import refuse_existing

    set_verbosity(quiet=quiet)
    refuse_existing(out, force=force)
    blended = blend(runs, method=method)
    save_blend(blended, out, force=force)
    typer.echo(blend_json(blended, str(out)) if json else blend_text(blended))
    if not quiet:
        typer.echo(
            f"\nThe blend is in {out}. Predict new texts with\n"
            f"  layerbank predict {out} NEW.csv --out predictions.csv",
            err=True,
        )
