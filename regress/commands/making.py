"""What the commands that make a run share: ``regress``, ``sweep`` and ``blend``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from features.console.app import program, say
from features.errors import InputError

#: What ``--model`` is completed with. A program may register more.
REGRESSORS = ("ridge", "krr", "svr", "lightgbm", "pairwise")

OutOption = Annotated[
    Path, typer.Option("--out", metavar="RUN", help="The folder to make.", show_default=False)
]

FiguresOption = Annotated[
    bool, typer.Option("--figures", help="Write the report's figures as PNG and SVG, too.")
]


def where_it_is(what: str, run: Path) -> str:
    """Where a run, and its report if that was drawn, are."""
    from regress.report.files import REPORT

    page = run / REPORT
    return f"The {what} is in {run}" + (f": open {page} in a browser." * page.is_file() or ".")


def predict_next(run: Path) -> str:
    """What to type to predict with a run, which knows the columns that it was made from."""
    return f"{program()} predict {shlex.quote(str(run))} NEW.csv"


def names_of(models: Sequence[str] | None) -> list[str] | None:
    """Regressors as ``--model`` names them: in options of their own, or with commas between.

    A comma divides only where every part is a registered name.
    """
    from regress.models.registry import MODELS

    if models is None:
        return None
    several = [[part.strip() for part in given.split(",")] for given in models]
    return [
        name
        for given, parts in zip(models, several, strict=True)
        for name in (parts if all(part in MODELS for part in parts) else [given])
    ]


def refuse_beside_from(given: Mapping[str, Any]) -> None:
    """InputError for options that a repeated run has of its own."""
    wrong = [name for name, value in given.items() if value not in (None, False, [], ())]
    if wrong:
        raise InputError(f"--from repeats a run as it was: drop {', '.join(wrong)}")


def say_repeated(told: str, *, quiet: bool) -> None:
    """Say on stderr whether a repeated run has the same numbers; quietly where it has not."""
    if not quiet or told.startswith("warning"):
        say(told, err=True)
