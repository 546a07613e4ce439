"""``layerbank info``, ``export``, ``verify``, ``compact``, ``merge`` and ``delete``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console.app import (
    BankArgument,
    ForceOption,
    IdOption,
    JsonOption,
    NoEncodeOption,
    QuietOption,
    ReadingOptions,
    SkipEmptyOption,
    TextOption,
    new_app,
    run,
    say,
    say_json,
    say_lines,
    saying_when_stopped,
    set_verbosity,
)
from features.console.show import human_bytes

if TYPE_CHECKING:
    from features.filling import EncodeWith


def info_command(bank: BankArgument, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Show what a bank holds: encoder, layers, texts, their lengths, size, health.

    Example: [bold]layerbank info roberta-base.bank[/bold]
    """
    from features.console.show import draws_blocks
    from features.upkeep.summary import describe, summary, summary_json

    set_verbosity(quiet=quiet)
    if json:
        say_json(summary_json(bank))
    else:
        say_lines(summary(describe(bank), fancy=draws_blocks()))


def export_command_with(encode_with: EncodeWith | None) -> Callable[..., None]:
    """The command, with what encodes texts that the bank lacks; None where nothing can."""

    def export_command(
        bank: BankArgument,
        select: Annotated[
            str, typer.Option("--select", metavar="S", help="Which blocks, such as 'mean\\[-4:]'.")
        ],
        rows: Annotated[
            Path, typer.Option("--rows", metavar="INPUT", help="The texts whose rows to write.")
        ],
        out: Annotated[
            Path,
            typer.Option(
                "--out", metavar="FILE", help="A .h5, .npy, .parquet or .csv file to write."
            ),
        ],
        text: TextOption = None,
        id: IdOption = None,
        no_encode: NoEncodeOption = False,
        skip_empty: SkipEmptyOption = False,
        force: ForceOption = False,
        quiet: QuietOption = False,
        *,
        reading: ReadingOptions,
    ) -> None:
        """Write chosen blocks for chosen texts, in their order, as one plain file.

        Texts that the bank lacks are encoded first.

        Example: [bold]layerbank export my.bank --select 'mean\\[-4:]' --rows train.csv --text
        excerpt --id id --out features.h5[/bold]
        """
        from features.bank import Bank
        from features.export import export
        from features.tables.table import open_table, read_dataset

        set_verbosity(quiet=quiet)
        encode = None
        if encode_with is not None and not no_encode:
            encode = encode_with(None, None, "auto", quiet)
        with saying_when_stopped():
            table = open_table(rows, **reading.how_read())
            dataset = read_dataset(table, text=text, id=id, skip_empty=skip_empty)
            opened = Bank.open(bank)
            path = export(
                opened, dataset.texts, select, out, ids=dataset.ids, force=force, encode=encode
            )
        columns = len(opened.column_names(select))
        say(f"{path}: {len(dataset.texts)} rows × {columns} columns, float32")

    return export_command


def verify_command(
    bank: BankArgument,
    repair: Annotated[
        bool, typer.Option("--repair", help="Set damaged segments aside; nothing is deleted.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Read a whole bank and report every damaged, foreign, missing or stray file.

    Exits with 1 when anything is wrong. After --repair the next [bold]layerbank extract[/bold]
    fills exactly the gap.

    Example: [bold]layerbank verify roberta-base.bank --repair[/bold]
    """
    from features.upkeep.verify import verify

    set_verbosity(quiet=quiet)
    report = verify(bank, repair=repair)
    for finding in report.findings:
        say(str(finding))
    for line in report.repaired:
        say(f"repaired: {line}")
    read = f"{report.n_rows} rows in {report.n_segments} segments, {human_bytes(report.n_bytes)}"
    wrong = len(report.findings)
    say(f"{bank}: {read}; {f'{wrong} wrong' if wrong else 'all as written'}")
    if not repair and any(finding.kind != "unfinished" for finding in report.findings):
        say("layerbank verify --repair sets damage aside; extract then fills it", err=True)
    if wrong:
        raise typer.Exit(1)


def compact_command(bank: BankArgument, quiet: QuietOption = False) -> None:
    """Merge small segments and drop duplicate texts; readers and writers may go on.

    On one host at a time: network file systems do not all honour locks.

    Example: [bold]layerbank compact roberta-base.bank[/bold]
    """
    from features.upkeep.compact import compact

    set_verbosity(quiet=quiet)
    report = compact(bank)
    say(
        f"{bank}: {report.n_before} segments before, {report.n_after} now; "
        f"{report.n_dropped} duplicate rows dropped"
    )


def merge_command(
    banks: Annotated[
        list[Path], typer.Argument(metavar="BANK...", help="Banks to take from, left as they are.")
    ],
    into: Annotated[Path, typer.Option("--into", metavar="BANK", help="The bank to add to.")],
    quiet: QuietOption = False,
) -> None:
    """Join banks of the same encoder and set-up, from a job array or a colleague.

    Example: [bold]layerbank merge shard-*.bank --into all.bank[/bold]
    """
    from features.upkeep.merge import merge

    set_verbosity(quiet=quiet)
    say(f"{into}: {merge(banks, into)} rows added")


def delete_command(
    bank: BankArgument,
    rows: Annotated[
        Path,
        typer.Option(
            "--rows", metavar="INPUT", help="A file with the texts to delete.", show_default=False
        ),
    ],
    text: TextOption = None,
    skip_empty: SkipEmptyOption = False,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            "--also",
            metavar="DIR",
            help="A further folder to look in for runs and banks that hold the texts.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")
    ] = False,
    quiet: QuietOption = False,
    *,
    reading: ReadingOptions,
) -> None:
    """Delete texts from a bank for good, when a person asks to be forgotten.

    Name the columns as you named them to [bold]layerbank extract[/bold]. What holds the texts is
    written anew without them, and the old files are removed at once. Runs and other banks beside
    the bank and in this folder are listed and left as they are. Killed half-way, the same call goes
    on.

    Example: [bold]layerbank delete my.bank --rows forget.csv --text excerpt[/bold]
    """
    from features.keys import text_keys
    from features.tables.table import open_table, read_texts
    from features.upkeep.delete import delete
    from features.upkeep.deletion_text import deletion_lines, elsewhere_lines
    from features.upkeep.elsewhere import holders_of

    set_verbosity(quiet=quiet)
    table = open_table(rows, **reading.how_read())
    keys = text_keys(read_texts(table, text, skip_empty=skip_empty))
    report = delete(bank, keys, dry_run=dry_run)
    for line in deletion_lines(report, dry_run=dry_run):
        say(line)
    known = [each.bank for each in report.banks]
    holders = holders_of(
        keys, report.fingerprint, near=[bank.absolute().parent, Path.cwd()], also=also or (),
        but=known,
    )  # fmt: skip
    for line in elsewhere_lines(holders, rows):
        say(line)


app = new_app("The bank: look at it, take matrices out of it, keep it in order.")
app.command("info")(info_command)
app.command("export")(export_command_with(None))
app.command("verify")(verify_command)
app.command("compact")(compact_command)
app.command("merge")(merge_command)
app.command("delete")(delete_command)


def main() -> None:
    """Entry of ``python -m features``."""
    run(app)
