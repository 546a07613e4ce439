"""``layerbank explain``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console.app import on_stdout, say, say_json, set_verbosity
from features.errors import InputError
from regress.commands.saved import NewTexts

if TYPE_CHECKING:
    from features.filling import EncodeWith
    from features.tables.table import Dataset


def explain_command_with(encode_with: EncodeWith) -> Callable[..., None]:
    """The command, with what encodes texts that the bank lacks."""

    def explain_command(
        neighbours: Annotated[
            int,
            typer.Option(
                "--neighbours", "-k", metavar="N", help="Training texts to show for each text."
            ),
        ] = 5,
        only: Annotated[
            list[str] | None,
            typer.Option(
                "--only",
                metavar="ID",
                help="Explain this row alone, by its id (without --id: its number from 1).",
                show_default=False,
            ),
        ] = None,
        html: Annotated[
            Path | None,
            typer.Option("--html", metavar="F.html", help="Write a page instead of a table."),
        ] = None,
        train: Annotated[
            Path | None,
            typer.Option("--train", metavar="INPUT", help="Where the run's training file is now."),
        ] = None,
        *,
        new: NewTexts,
    ) -> None:
        """Show which blocks predictions come from, and which training texts they are like.

        Blocks add up to the prediction. Similarity is the model's own: ridge's cosine, the
        kernel of krr and svr, the share of lightgbm's trees whose leaf both texts reach.

        Examples:

        [bold]layerbank explain run test.csv --text excerpt --id id[/bold]

        [bold]layerbank explain run train.csv --text excerpt --id id --only c12a -k 10[/bold]
        """
        from regress.runs.format import as_json
        from regress.runs.predict import refuse_existing_file
        from regress.runs.run import load_run
        from regress.runs.training import training_texts

        set_verbosity(quiet=new.quiet)
        if html is not None and new.json:
            raise InputError("--html and --json are two forms of one answer: give one of them")
        if html is not None:
            refuse_existing_file(html, force=new.force, option="--html")
        elif new.force:
            raise InputError("--force replaces a page that is there: give --html with it")
        if neighbours < 0:
            raise InputError(f"--neighbours takes numbers from 0 on, not {neighbours}")
        loaded = load_run(new.run)
        loaded.chosen(new.model)
        # Before new texts are encoded, which may take long.
        training = training_texts(loaded, train).texts if neighbours else None
        source, dataset = new.read(loaded)
        names = dataset.ids or [str(row) for row in dataset.rows.tolist()]
        kept = _kept(dataset, names, only, source.id)
        texts = [dataset.texts[row] for row in kept]
        banks = new.banks_with(encode_with, loaded, texts, training)
        found = loaded.explain(
            texts, banks, model=new.model, n_neighbours=neighbours, training=training,
            ids=[names[row] for row in kept],
        )  # fmt: skip
        if new.json:
            say_json(as_json(found.as_dict()))
        elif html is not None:
            from features.disk.atomic import replacing

            with replacing(html) as file:
                file.write(found.page().encode())
            say(f"{html}: {len(texts)} texts explained")
        else:
            on_stdout(found.text(source.id or "row"))

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
