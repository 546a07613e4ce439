"""What the commands that make a run share: ``regress``, ``sweep`` and ``blend``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from features.console.app import say
from features.errors import InputError

OutOption = Annotated[
    Path, typer.Option("--out", metavar="RUN", help="The folder to make.", show_default=False)
]

FiguresOption = Annotated[
    bool, typer.Option("--figures", help="Write the report's figures as PNG and SVG, too.")
]


def where_it_is(what: str, run: Path) -> str:
    """Where a run, and its report if that was drawn, are."""
    from regress.report import REPORT

    page = run / REPORT
    return f"The {what} is in {run}" + (f": open {page} in a browser." * page.is_file() or ".")


def predict_next(run: Path, text: Sequence[str] | None, id: str | None) -> str:
    """What to type to predict with a run, of the columns that it was made from."""
    columns = [word for name in text or () for word in ("--text", name)]
    columns += ["--id", id] if id is not None else []
    return shlex.join(
        ["layerbank", "predict", str(run), "NEW.csv", *columns, "--out", "predictions.csv"]
    )


def refuse_beside_from(given: Mapping[str, Any]) -> None:
    """InputError for options that a repeated run has of its own."""
    wrong = [name for name, value in given.items() if value not in (None, False, [], ())]
    if wrong:
        raise InputError(f"--from repeats a run as it was: drop {', '.join(wrong)}")


def say_repeated(told: str, *, quiet: bool) -> None:
    """Say on stderr whether a repeated run has the same numbers; quietly where it has not."""
    if not quiet or told.startswith("warning"):
        say(told, err=True)
