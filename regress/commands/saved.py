"""Options of the commands that take a saved run to new texts: ``predict`` and ``explain``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console.app import (
    DEVICES,
    ForceOption,
    IdOption,
    InputArgument,
    JsonOption,
    NoEncodeOption,
    QuietOption,
    ReadingOptions,
    SkipEmptyOption,
    TextOption,
    one_of,
)
from features.errors import InputError, NoTokens

if TYPE_CHECKING:
    from features.bank import Bank
    from features.filling import EncodeWith
    from features.keys import Text
    from features.tables.table import Dataset
    from regress.data.source import Source
    from regress.runs.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class NewTexts(ReadingOptions):
    """A saved run, the texts that it is taken to, and what encodes those that its bank lacks."""

    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)]
    input: InputArgument
    text: TextOption = None
    id: IdOption = None
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="A regressor, or 'ridge mean\\[-1]'.  \\[default: the lowest RMSE]",
        ),
    ] = None
    bank: Annotated[
        list[Path] | None,
        typer.Option(
            "--bank",
            metavar="DIR",
            help="The bank to use instead of the one the run names; where it needs several, once "
            "for each.",
            show_default=False,
        ),
    ] = None
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder", metavar="FOLDER", help="Where the run's encoder is now, when it has moved."
        ),
    ] = None
    encoder_weights: Annotated[
        Path | None,
        typer.Option(
            "--encoder-weights",
            metavar="FILE",
            help="Where the encoder's fine-tuned weights are now.",
        ),
    ] = None
    scratch: Annotated[
        Path | None,
        typer.Option(
            "--scratch",
            metavar="BANK",
            help="Keep new texts here, and the run's bank as it is (it may be read-only).",
        ),
    ] = None
    device: Annotated[
        str,
        typer.Option(
            "--device",
            autocompletion=one_of(*DEVICES),
            help="auto, cpu, cuda, cuda:N or mps.",
        ),
    ] = "auto"
    no_encode: NoEncodeOption = False
    skip_empty: SkipEmptyOption = False
    force: ForceOption = False
    json: JsonOption = False
    quiet: QuietOption = False

    def read(
        self, run: Run, *, by: Sequence[str] = (), id: str | None = None, empty: str = ""
    ) -> tuple[Source, Dataset]:
        """The file of new texts, in the columns that the run knows unless options name others.

        Parameters
        ----------
        by
            Further columns to read. Those of the run's targets are read where they are there.
        id
            The column of ids, rather than the run's, where no option names it.
        empty
            What becomes of empty texts; not given, they are refused, or skipped by --skip-empty.

        Raises
        ------
        InputError
            The file lacks a column, or holds what cannot be read.
        """
        from features.tables.table import open_table
        from regress.data.source import Source

        known = run.description.get("input") or {}
        table = open_table(self.input, **self.how_read())
        text, id = self.text or known.get("text"), self.id or id
        if not text and not known and "text" not in table.columns:
            raise InputError(
                f"the run {run.path} was made in Python, where columns have no names: say which "
                "one holds the texts with --text"
            )
        if id is None and known.get("id") in table.columns:
            id = known["id"]
        elif id is None and known.get("id") is not None:
            log.warning(
                "%s has no column %r, so rows are numbered: name the ids with --id",
                self.input, known["id"],
            )  # fmt: skip
        skip = empty == "skip" if empty else self.skip_empty
        there = [name for name in run.targets if table.columns.count(name) == 1]
        return Source(
            path=str(self.input), target=(), text=text, id=id, skip_empty=skip,
            by=tuple(dict.fromkeys([*there, *by])), **self.how_read(),
        ).read(table, numeric=there, keep_empty=bool(empty) and not skip)  # fmt: skip

    def banks_and_tokenless(
        self, encode_with: EncodeWith, run: Run, texts: Sequence[Text]
    ) -> tuple[list[Bank], set[Text]]:
        """As `banks_with`, and the texts that the encoder's tokenizer makes nothing of."""
        # White space first, so that all that gives no token is found at once.
        wanted = sorted(dict.fromkeys(texts), key=_says_something)
        tokenless: set[Text] = set()
        while wanted:
            try:
                return self.banks_with(encode_with, run, wanted), tokenless
            except NoTokens as error:
                tokenless.update(error.texts)
                wanted = [text for text in wanted if text not in tokenless]
        return [], tokenless

    def banks_with(
        self,
        encode_with: EncodeWith,
        run: Run,
        texts: Sequence[Text],
        training: Sequence[Text] | None = None,
    ) -> list[Bank]:
        """The banks that the chosen models need, with texts encoded that they lacked.

        As `regress.runs.missing.holding`.
        """
        from regress.runs.missing import holding

        if self.no_encode:
            return [*run.open_banks(self.bank or None, model=self.model).values()]
        encode = encode_with(self.encoder, self.encoder_weights, self.device, self.quiet)
        banks = holding(
            run, run.banks_needed(self.model), texts, encode, bank=self.bank or (),
            scratch=self.scratch, training=training, encoder_named=self.encoder is not None,
        )  # fmt: skip
        return [*banks.values()]


def _says_something(text: Text) -> bool:
    parts = (text,) if isinstance(text, str) else text
    return any(part.strip() for part in parts)
