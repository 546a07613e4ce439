"""Options of the commands that take a saved run to new texts: ``predict`` and ``explain``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.console.app import (
    ForceOption,
    IdOption,
    InputArgument,
    JsonOption,
    QuietOption,
    ReadingOptions,
    SkipEmptyOption,
    TextOption,
)
from features.errors import NoTokens

if TYPE_CHECKING:
    from features.bank import Bank
    from features.keys import Text
    from regress.runs.missing import Encode
    from regress.runs.run import Run

#: What encodes missing texts, from --encoder, --encoder-weights, --device and --quiet: stage 1,
#: which this stage does not know.
EncodeWith = Callable[[str | None, Path | None, str, bool], "Encode"]


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
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")] = (
        "auto"
    )
    skip_empty: SkipEmptyOption = False
    force: ForceOption = False
    json: JsonOption = False
    quiet: QuietOption = False

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

        As `regress.runs.missing.banks_holding`.
        """
        from regress.runs.missing import banks_holding

        encode = encode_with(self.encoder, self.encoder_weights, self.device, self.quiet)
        return banks_holding(
            run, texts, encode, model=self.model, bank=self.bank or (), scratch=self.scratch,
            training=training, encoder_named=self.encoder is not None,
        )  # fmt: skip


def _says_something(text: Text) -> bool:
    parts = (text,) if isinstance(text, str) else text
    return any(part.strip() for part in parts)
