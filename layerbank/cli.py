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
    info_command,
    merge_command,
    verify_command,
)
from features.console.app import (
    EncodingOption,
    ForceOption,
    FormatOption,
    IdOption,
    InputArgument,
    JsonOption,
    QuietOption,
    SkipEmptyOption,
    TextOption,
    new_app,
    run,
    set_verbosity,
)
from layerbank.demo import demo_command
from regress.commands.blend import blend_command
from regress.commands.explain import explain_command_with
from regress.commands.options import (
    DeviceOption,
    MovedBankOption,
    MovedEncoderOption,
    MovedWeightsOption,
    RunArgument,
    SavedModelOption,
    ScratchOption,
)
from regress.commands.regress import regress_command
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


app.command("extract", cls=ExtractCommand)(extract_command)
app.command("info")(info_command)
app.command("export")(export_command)
app.command("regress")(regress_command)
app.command("sweep")(sweep_command)
app.command("blend")(blend_command)


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


@app.command("predict")
def predict_command(
    run: RunArgument,
    input: InputArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="F.csv", help="The .csv or .parquet file to write.", show_default=False
        ),
    ],
    text: TextOption = None,
    id: IdOption = None,
    bank: MovedBankOption = None,
    encoder: MovedEncoderOption = None,
    encoder_weights: MovedWeightsOption = None,
    scratch: ScratchOption = None,
    model: SavedModelOption = None,
    device: DeviceOption = "auto",
    format: FormatOption = None,
    encoding: EncodingOption = "utf-8",
    skip_empty: SkipEmptyOption = False,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Predict new texts with a saved run; texts that the bank lacks are encoded first.

    Encoding takes the very encoder that the run names, and refuses any other.

    Examples:

    [bold]layerbank predict run test.csv --text excerpt --id id --out submission.csv[/bold]

    [bold]layerbank predict run test.csv --text excerpt --encoder ./roberta-base
    --scratch /tmp/new.bank --out submission.csv[/bold]
    """
    from features.tables.table import open_table, read_dataset
    from regress.runs.missing import banks_holding
    from regress.runs.predict import predict_file, prediction_report, refuse_out
    from regress.runs.run import load_run

    set_verbosity(quiet=quiet)
    refuse_out(out, force=force)
    loaded = load_run(run)
    loaded.chosen(model)
    table = open_table(input, format=format, encoding=encoding)
    dataset = read_dataset(table, text=text, id=id, skip_empty=skip_empty)

    encode = _encode_with(encoder, encoder_weights, device, quiet)
    banks = banks_holding(loaded, dataset.texts, encode, model=model, bank=bank, scratch=scratch)
    predict_file(loaded, dataset, out, bank=banks, model=model, id_name=id or "row", force=force)
    typer.echo(prediction_report(loaded, dataset, out, model=model, as_json=json))


app.command("explain")(explain_command_with(_encode_with))
app.command("verify")(verify_command)
app.command("compact")(compact_command)
app.command("merge")(merge_command)
app.command("demo")(demo_command)
