"""The ``layerbank`` command: every command of the three stages under one roof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from extract.cli import ExtractCommand, extract_command
from features.cli import (
    compact_command,
    export_command,
    merge_command,
    verify_command,
)
from features.console.app import new_app, run
from layerbank.demo import demo_command
from regress.commands.blend import blend_command
from regress.commands.compare import compare_command
from regress.commands.explain import explain_command_with
from regress.commands.info import info_command
from regress.commands.predict import predict_command_with
from regress.commands.regress import regress_command
from regress.commands.report import report_command
from regress.commands.sweep import sweep_command

if TYPE_CHECKING:
    from features.keys import Text
    from regress.runs.missing import Encode

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


def _encode_with(encoder: str | None, weights: Path | None, device: str, quiet: bool) -> Encode:
    """What encodes texts that a run's bank lacks, as the run recorded it."""

    def encode(texts: Sequence[Text], into: Path, recorded: Mapping[str, Any]) -> None:
        from extract.pipeline import extract

        moved = encoder and encoder.replace("{fold}", recorded.get("fold", ""))
        extract(
            texts,
            into,
            encoder=moved or recorded["source"].get("encoder"),
            revision=None if moved else recorded["source"].get("revision"),
            encoder_weights=weights or (None if encoder else recorded["source"].get("weights")),
            like=recorded["setup"],
            device=device,
            progress=not quiet,
        )

    return encode


app.command("extract", cls=ExtractCommand)(extract_command)
app.command("info")(info_command)
app.command("export")(export_command)
app.command("regress")(regress_command)
app.command("sweep")(sweep_command)
app.command("blend")(blend_command)
app.command("compare")(compare_command)
app.command("report")(report_command)
app.command("predict")(predict_command_with(_encode_with))
app.command("explain")(explain_command_with(_encode_with))
app.command("verify")(verify_command)
app.command("compact")(compact_command)
app.command("merge")(merge_command)
app.command("demo")(demo_command)
