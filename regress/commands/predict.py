"""``layerbank predict``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from features.console.app import say, say_json, set_verbosity
from features.errors import InputError
from regress.commands.saved import EncodeWith, NewTexts


def predict_command_with(encode_with: EncodeWith | None) -> Callable[..., None]:
    """The command, with what encodes texts that the bank lacks; None where nothing can."""

    def predict_command(
        out: Annotated[
            Path,
            typer.Option(
                "--out",
                metavar="F.csv",
                help="The .csv or .parquet file to write.",
                show_default=False,
            ),
        ],
        *,
        new: NewTexts,
    ) -> None:
        """Predict new texts with a saved run; texts that the bank lacks are encoded first.

        Encoding takes the very encoder that the run names, and refuses any other.

        Examples:

        [bold]layerbank predict run test.csv --text excerpt --id id --out submission.csv[/bold]

        [bold]layerbank predict run test.csv --text excerpt --encoder ./roberta-base
        --scratch /tmp/new.bank --out submission.csv[/bold]
        """
        from regress.data.fold_banks import BankLike
        from regress.data.source import Source
        from regress.runs.predict import header_of, predict_file, prediction_report, refuse_out
        from regress.runs.run import load_run

        set_verbosity(quiet=new.quiet)
        if encode_with is None:
            encoding_options = {
                "--encoder": new.encoder, "--encoder-weights": new.encoder_weights,
                "--scratch": new.scratch,
                "--device": None if new.device == "auto" else new.device,
            }  # fmt: skip
            if given := [name for name, value in encoding_options.items() if value is not None]:
                raise InputError(
                    f"{given[0]} is for encoding, which stage 2 alone cannot do: call `layerbank "
                    "predict`"
                )
        refuse_out(out, force=new.force)
        loaded = load_run(new.run)
        loaded.chosen(new.model)
        header_of(loaded, new.id or "row")
        source, dataset = Source(
            path=str(new.input), target=(), text=new.text, format=new.format,
            encoding=new.encoding, id=new.id, skip_empty=new.skip_empty,
        ).read()  # fmt: skip
        banks: BankLike | None = new.bank or None
        if encode_with is not None:
            banks = new.banks_with(encode_with, loaded, dataset.texts)
        with source.named_where_missing(dataset):
            predict_file(
                loaded,
                dataset,
                out,
                bank=banks,
                model=new.model,
                id_name=new.id or "row",
                force=new.force,
            )
        echo = say_json if new.json else say
        echo(prediction_report(loaded, dataset, out, model=new.model, as_json=new.json))

    return predict_command
