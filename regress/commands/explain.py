"""``layerbank explain``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    on_stdout,
    set_verbosity,
)
from features.errors import InputError
from regress.commands.saved import (
    DeviceOption,
    EncodeWith,
    MovedBankOption,
    MovedEncoderOption,
    MovedWeightsOption,
    RunArgument,
    SavedModelOption,
    ScratchOption,
)

if TYPE_CHECKING:
    from features.tables.table import Dataset


def explain_command_with(encode_with: EncodeWith) -> Callable[..., None]:
    """The command, with what encodes texts that the bank lacks."""

    def explain_command(
        run: RunArgument,
        input: InputArgument,
        neighbours: Annotated[
            int,
            typer.Option(
                "--neighbours", "-k", metavar="N", help="Training texts to show for each text."
            ),
        ] = 5,
        text: TextOption = None,
        id: IdOption = None,
        only: Annotated[
            list[str] | None,
            typer.Option(
                "--only",
                metavar="ID",
                help="Explain this row alone, by its id (without --id: its number from 1).",
                show_default=False,
            ),
        ] = None,
        model: SavedModelOption = None,
        html: Annotated[
            Path | None,
            typer.Option("--html", metavar="F.html", help="Write a page instead of a table."),
        ] = None,
        train: Annotated[
            Path | None,
            typer.Option("--train", metavar="INPUT", help="Where the run's training file is now."),
        ] = None,
        bank: MovedBankOption = None,
        encoder: MovedEncoderOption = None,
        encoder_weights: MovedWeightsOption = None,
        scratch: ScratchOption = None,
        device: DeviceOption = "auto",
        format: FormatOption = None,
        encoding: EncodingOption = "utf-8",
        skip_empty: SkipEmptyOption = False,
        force: ForceOption = False,
        json: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """Show which blocks predictions come from, and which training texts they are like.

        Blocks add up to the prediction. Similarity is the model's own: ridge's cosine, the
        kernel of krr and svr, the share of lightgbm's trees whose leaf both texts reach.

        Examples:

        [bold]layerbank explain run test.csv --text excerpt --id id[/bold]

        [bold]layerbank explain run train.csv --text excerpt --id id --only c12a -k 10[/bold]
        """
        from features.tables.table import open_table, read_dataset
        from regress.runs.format import as_json
        from regress.runs.missing import banks_holding
        from regress.runs.predict import refuse_existing_file
        from regress.runs.run import load_run
        from regress.runs.training import training_texts

        set_verbosity(quiet=quiet)
        if html is not None and json:
            raise InputError("--html and --json are two forms of one answer: give one of them")
        if html is not None:
            refuse_existing_file(html, force=force, option="--html")
        elif force:
            raise InputError("--force replaces a page that is there: give --html with it")
        if neighbours < 0:
            raise InputError(f"--neighbours takes numbers from 0 on, not {neighbours}")
        loaded = load_run(run)
        loaded.chosen(model)
        # Before new texts are encoded, which may take long.
        training = training_texts(loaded, train).texts if neighbours else None
        table = open_table(input, format=format, encoding=encoding)
        dataset = read_dataset(table, text=text, id=id, skip_empty=skip_empty)
        names = dataset.ids or [str(row) for row in dataset.rows.tolist()]
        kept = _kept(dataset, names, only, id)
        texts = [dataset.texts[row] for row in kept]
        banks = banks_holding(
            loaded, texts, encode_with(encoder, encoder_weights, device, quiet),
            model=model, bank=bank, scratch=scratch, training=training,
        )  # fmt: skip
        found = loaded.explain(
            texts, banks, model=model, n_neighbours=neighbours, training=training,
            ids=[names[row] for row in kept],
        )  # fmt: skip
        if json:
            typer.echo(as_json(found.as_dict()))
        elif html is not None:
            from features.disk.atomic import replacing

            with replacing(html) as file:
                file.write(found.page().encode())
            typer.echo(f"{html}: {len(texts)} texts explained")
        else:
            on_stdout(found.text(id or "row"))

    return explain_command


def _kept(
    dataset: Dataset, names: Sequence[str], only: Sequence[str] | None, id: str | None
) -> list[int]:
    """Numbers of the rows to explain, in the file's order."""
    if not only:
        return [*range(len(names))]
    known = set(names)
    if wrong := [name for name in only if name not in known]:
        what = f"{id} {wrong[0]!r}" if id else f"row {wrong[0]} (--id names a column with ids)"
        raise InputError(f"the input has no {what}: give --only a row that is there")
    return [row for row, name in enumerate(names) if name in set(only)]
