"""``layerbank info`` and ``layerbank export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console import (
    BankArgument,
    EncodingOption,
    ForceOption,
    FormatOption,
    IdOption,
    JsonOption,
    SkipEmptyOption,
    TextOption,
    new_app,
    run,
)


def info_command(bank: BankArgument, json: JsonOption = False) -> None:
    """Show what a bank holds: encoder, layers, texts, size.

    Example: [bold]layerbank info roberta-base.bank[/bold]
    """
    from features.summary import summary, summary_json

    typer.echo(summary_json(bank) if json else summary(bank))


def export_command(
    bank: BankArgument,
    select: Annotated[
        str, typer.Option("--select", metavar="S", help="Which blocks, such as 'mean[-4:]'.")
    ],
    rows: Annotated[
        Path, typer.Option("--rows", metavar="INPUT", help="The texts whose rows to write.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="F.h5", help="The file to write.")],
    text: TextOption = None,
    id: IdOption = None,
    format: FormatOption = None,
    encoding: EncodingOption = "utf-8",
    skip_empty: SkipEmptyOption = False,
    force: ForceOption = False,
) -> None:
    """Write chosen blocks for chosen texts, in their order, as one plain HDF5 file.

    Example: [bold]layerbank export my.bank --select 'mean\\[-4:]' --rows train.csv --text excerpt
    --id id --out features.h5[/bold]
    """
    from features.bank import Bank
    from features.export import export
    from features.table import open_table, read_dataset

    table = open_table(rows, format=format, encoding=encoding)
    dataset = read_dataset(table, text=text, id=id, skip_empty=skip_empty)
    opened = Bank.open(bank)
    path = export(opened, dataset.texts, select, out, ids=dataset.ids, force=force)
    columns = len(opened.column_names(select))
    typer.echo(f"{path}: {len(dataset.texts)} rows × {columns} columns, float32 in /X")


app = new_app("The bank: look at it, take matrices out of it.")
app.command("info")(info_command)
app.command("export")(export_command)


def main() -> None:
    """Entry of ``python -m features``."""
    run(app)
