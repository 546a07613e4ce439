"""The ``layerbank`` command: every command of the three stages under one roof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from extract.cli import ExtractCommand, extract_command
from features.cli import (
    compact_command,
    delete_command,
    export_command_with,
    merge_command,
    verify_command,
)
from features.console.app import new_app, run
from layerbank.demo import demo_command
from regress.commands.blend import blend_command
from regress.commands.compare import compare_command
from regress.commands.explain import explain_command_with
from regress.commands.fit import fit_command_with
from regress.commands.info import info_command
from regress.commands.predict import predict_command_with
from regress.commands.regress import regress_command
from regress.commands.report import report_command
from regress.commands.sweep import sweep_command

if TYPE_CHECKING:
    from layerbank.encoding import Encoding

app = new_app(
    "Run a frozen text encoder once, keep every layer, fit regressors in seconds.",
    epilog="Start with [bold]layerbank demo[/bold]. Every command takes --help, and --debug for "
    "a traceback.",
)


def main() -> None:
    """Entry of the ``layerbank`` command."""
    run(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        from layerbank.version import __version__

        typer.echo(f"layerbank {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and leave."
        ),
    ] = False,
) -> None:
    """Options of every command."""


def _encode_with(encoder: str | None, weights: Path | None, device: str, quiet: bool) -> Encoding:
    """What encodes texts that a bank lacks, from the options that say how."""
    from layerbank.encoding import Encoding

    return Encoding(encoder=encoder, weights=weights, device=device, quiet=quiet)


#: Where ``layerbank --help`` shows a command.
EVERYDAY, LAB, BANK = "Everyday", "Lab", "Bank"

app.command("fit", rich_help_panel=EVERYDAY)(fit_command_with(_encode_with))
app.command("predict", rich_help_panel=EVERYDAY)(predict_command_with(_encode_with))
app.command("report", rich_help_panel=EVERYDAY)(report_command)
app.command("compare", rich_help_panel=EVERYDAY)(compare_command)
app.command("info", rich_help_panel=EVERYDAY)(info_command)
app.command("demo", rich_help_panel=EVERYDAY)(demo_command)
app.command("extract", cls=ExtractCommand, rich_help_panel=LAB)(extract_command)
app.command("blend", rich_help_panel=LAB)(blend_command)
app.command("explain", rich_help_panel=LAB)(explain_command_with(_encode_with))
app.command("export", rich_help_panel=LAB)(export_command_with(_encode_with))
app.command("verify", rich_help_panel=BANK)(verify_command)
app.command("compact", rich_help_panel=BANK)(compact_command)
app.command("merge", rich_help_panel=BANK)(merge_command)
app.command("delete", rich_help_panel=BANK)(delete_command)
# The two halves of ``fit``, under the names that they had.
app.command("regress", hidden=True)(regress_command)
app.command("sweep", hidden=True)(sweep_command)
