"""``layerbank predict``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from features.console.app import say_lines, set_verbosity
from features.errors import InputError
from features.filling import EncodeWith
from regress.commands.saved import NewTexts


def predict_command_with(encode_with: EncodeWith | None) -> Callable[..., None]:
    """The command, with what encodes texts that the bank lacks; None where nothing can."""

    def predict_command(
        out: Annotated[
            Path | None,
            typer.Option(
                "--out",
                metavar="F.csv",
                help="The .csv or .parquet file to write.",
                show_default="predictions.csv, or submission.csv with --like",
            ),
        ] = None,
        like: Annotated[
            Path | None,
            typer.Option(
                "--like",
                metavar="SAMPLE",
                help="A sample submission: names and order of columns, and order of rows, are as "
                "there.",
                show_default=False,
            ),
        ] = None,
        by: Annotated[
            list[str] | None,
            typer.Option(
                "--by",
                metavar="COL",
                help="Where the file holds the target, an RMSE for each value of this column (of "
                "numbers: fifths); any number of times.",
                show_default=False,
            ),
        ] = None,
        *,
        new: NewTexts,
    ) -> None:
        """Predict new texts with a saved run; texts that the bank lacks are encoded first.

        The run knows the columns of texts and ids, its bank and its encoder. Where the file holds
        the target too, the predictions are scored beside what the run promised.

        Examples:

        [bold]layerbank predict run test.csv[/bold]

        [bold]layerbank predict run test.csv --like sample_submission.csv[/bold]

        [bold]layerbank predict run other.csv --text essay --encoder ./roberta-base --scratch
        /tmp/new.bank --out other-predictions.csv[/bold]
        """
        from regress.data.fold_banks import BankLike
        from regress.runs.like import Form
        from regress.runs.predict import predict_file, prediction_report, refuse_out
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
        target = out or Path("predictions.csv" if like is None else "submission.csv")
        refuse_out(target, force=new.force)
        loaded = load_run(new.run)
        loaded.chosen(new.model)
        id = new.id or (loaded.description.get("input") or {}).get("id")
        form = None if like is None else Form.read(like, loaded.targets, id)
        source, dataset = new.read(loaded, by=by or (), id=None if form is None else form.id)
        banks: BankLike | None = new.bank or None
        if encode_with is not None:
            banks = new.banks_with(encode_with, loaded, dataset.texts)
        with source.named_where_missing(dataset):
            predicted = predict_file(
                loaded, dataset, target, bank=banks, model=new.model, id_name=source.id or "row",
                form=form, by=by or (), force=new.force,
            )  # fmt: skip
        report = prediction_report(
            loaded, dataset, target, predicted, model=new.model, as_json=new.json
        )
        if new.json:
            typer.echo(report)
        else:
            say_lines(report)

    return predict_command
