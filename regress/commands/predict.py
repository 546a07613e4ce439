"""``layerbank predict``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console.app import say, say_json, set_verbosity
from features.errors import InputError
from regress.commands.saved import EncodeWith, NewTexts

if TYPE_CHECKING:
    from features.keys import Text


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
        empty: Annotated[
            str | None,
            typer.Option(
                "--empty",
                metavar="HOW",
                help="What becomes of empty texts: predict (from the encoder's special tokens; the "
                "default), mean (of the training target) or skip (no row, as --skip-empty).",
                show_default=False,
            ),
        ] = None,
        *,
        new: NewTexts,
    ) -> None:
        """Predict new texts with a saved run; texts that the bank lacks are encoded first.

        Encoding takes the very encoder that the run names, and refuses any other. A text that
        gives no token gets the mean of the training target.

        Examples:

        [bold]layerbank predict run test.csv --text excerpt --id id --out submission.csv[/bold]

        [bold]layerbank predict run test.csv --text excerpt --encoder ./roberta-base
        --scratch /tmp/new.bank --out submission.csv[/bold]
        """
        import numpy as np

        from regress.data.fold_banks import BankLike
        from regress.data.source import Source
        from regress.runs.empty_texts import checked_empty, has_empty_part
        from regress.runs.predict import (
            header_of,
            notes_on_empty,
            predict_file,
            prediction_report,
            refuse_out,
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
        refuse_out(out, force=new.force)
        way = checked_empty(empty or ("skip" if new.skip_empty else "predict"))
        if new.skip_empty and way != "skip":
            raise InputError(f"--skip-empty is --empty skip: drop it, or --empty {way}")
        loaded = load_run(new.run)
        loaded.chosen(new.model)
        header_of(loaded, new.id or "row")
        source, dataset = Source(
            path=str(new.input), target=(), text=new.text, id=new.id, skip_empty=way == "skip",
            **new.how_read(),
        ).read(keep_empty=way != "skip")  # fmt: skip
        lacking = [way == "mean" and has_empty_part(text) for text in dataset.texts]
        tokenless: set[Text] = set()
        banks: BankLike | None = new.bank or None
        if encode_with is not None:
            wanted = [t for t, mean in zip(dataset.texts, lacking, strict=True) if not mean]
            banks, tokenless = new.banks_and_tokenless(encode_with, loaded, wanted)
        by_mean = np.array(lacking) | [text in tokenless for text in dataset.texts]
        with source.named_where_missing(dataset):
            predict_file(
                loaded,
                dataset,
                out,
                bank=banks,
                model=new.model,
                id_name=new.id or "row",
                force=new.force,
                by_mean=by_mean,
            )
        for note in [] if new.quiet else notes_on_empty(dataset, by_mean):
            say(note, err=True)
        echo = say_json if new.json else say
        n_by_mean = int(by_mean.sum())
        echo(
            prediction_report(
                loaded, dataset, out, model=new.model, as_json=new.json, n_by_mean=n_by_mean
            )
        )

    return predict_command
