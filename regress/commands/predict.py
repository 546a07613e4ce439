"""``layerbank predict``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console.app import one_of, say, say_json, say_lines, set_verbosity
from features.errors import InputError
from regress.commands.saved import NewTexts

if TYPE_CHECKING:
    from features.filling import EncodeWith
    from features.keys import Text


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
        empty: Annotated[
            str | None,
            typer.Option(
                "--empty",
                metavar="HOW",
                autocompletion=one_of("predict", "mean", "skip"),
                help="What becomes of empty texts: predict (from the encoder's special tokens; the "
                "default), mean (of the training target) or skip (no row, as --skip-empty).",
                show_default=False,
            ),
        ] = None,
        *,
        new: NewTexts,
    ) -> None:
        """Predict new texts with a saved run; texts that the bank lacks are encoded first.

        The run knows the columns of texts and ids, its bank and its encoder. Where the file holds
        the target too, the predictions are scored beside what the run promised. A text that gives
        no token gets the mean of the training target.

        Examples:

        [bold]layerbank predict run test.csv[/bold]

        [bold]layerbank predict run test.csv --like sample_submission.csv[/bold]

        [bold]layerbank predict run other.csv --text essay --encoder ./roberta-base --scratch
        /tmp/new.bank --out other-predictions.csv[/bold]
        """
        import numpy as np

        from regress.data.fold_banks import BankLike
        from regress.runs.empty_texts import checked_empty, has_empty_part
        from regress.runs.like import Form
        from regress.runs.predict import (
            notes_on_empty,
            predict_file,
            prediction_report,
            refuse_out,
            refuse_shared_name,
        )
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
        way = checked_empty(empty or ("skip" if new.skip_empty else "predict"))
        if new.skip_empty and way != "skip":
            raise InputError(f"--skip-empty is --empty skip: drop it, or --empty {way}")
        loaded = load_run(new.run)
        loaded.chosen(new.model)
        id = new.id or (loaded.description.get("input") or {}).get("id")
        form = None if like is None else Form.read(like, loaded.targets, id)
        source, dataset = new.read(
            loaded, by=by or (), id=None if form is None else form.id, empty=way
        )
        if form is None:
            refuse_shared_name(loaded, source.id or "row")
        lacking = [way == "mean" and has_empty_part(text) for text in dataset.texts]
        tokenless: set[Text] = set()
        banks: BankLike | None = new.bank or None
        if encode_with is not None:
            wanted = [t for t, mean in zip(dataset.texts, lacking, strict=True) if not mean]
            banks, tokenless = new.banks_and_tokenless(encode_with, loaded, wanted)
        by_mean = np.array(lacking) | [text in tokenless for text in dataset.texts]
        with source.named_where_missing(dataset):
            predicted = predict_file(
                loaded, dataset, target, bank=banks, model=new.model, id_name=source.id or "row",
                form=form, by=by or (), force=new.force, by_mean=by_mean,
            )  # fmt: skip
        for note in [] if new.quiet else notes_on_empty(dataset, by_mean):
            say(note, err=True)
        report = prediction_report(
            loaded, dataset, target, predicted, model=new.model, as_json=new.json,
            n_by_mean=int(by_mean.sum()),
        )  # fmt: skip
        (say_json if new.json else say_lines)(report)

    return predict_command
