"""``layerbank info``: a bank, a run, or a folder that holds some."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from features.console.app import (
    JsonOption,
    QuietOption,
    on_stdout,
    say_json,
    say_lines,
    set_verbosity,
)


def info_command(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A bank, a run, or a folder with banks and runs.",
            show_default=False,
        ),
    ],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what a bank, a run or a folder holds.

    Of a bank: encoder, layers, texts, their lengths, size, health. Of a run: encoder, folds, and
    the score of every model beside that of the training mean. Of a folder: the runs and banks in
    it, with scores, sizes and dates.

    Example: [bold]layerbank info roberta-base.bank[/bold]

    Your runs and banks: [bold]layerbank info .[/bold]
    """
    set_verbosity(quiet=quiet)
    if not path.is_dir() or (path / "bank.json").exists():
        _show_bank(path, json)  # which needs nothing of this stage, nor its libraries
        return
    from regress.runs.folder import MANIFEST
    from regress.runs.format import as_json
    from regress.runs.glance import describe_folder, folder_text, glance_at_run

    if (path / MANIFEST).is_file():
        run = glance_at_run(path)
        facts, text = run.facts, run.text
    else:
        facts = describe_folder(path)
        text = partial(folder_text, facts)
    if json:
        say_json(as_json(facts))
    else:
        on_stdout(text())


def _show_bank(path: Path, json: bool) -> None:
    from features.console.show import draws_blocks
    from features.upkeep.summary import describe, summary, summary_json

    if json:
        say_json(summary_json(path))
    else:
        say_lines(summary(describe(path), fancy=draws_blocks()))
