"""Options of the commands that take a saved run to new texts: ``predict`` and ``explain``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from regress.runs.missing import Encode

#: What encodes missing texts, from --encoder, --encoder-weights, --device and --quiet: stage 1,
#: which this stage does not know.
EncodeWith = Callable[[str | None, Path | None, str, bool], "Encode"]

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder.", show_default=False)
]

MovedBankOption = Annotated[
    Path | None,
    typer.Option("--bank", metavar="DIR", help="The bank to use instead of the one the run names."),
]

SavedModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="A regressor, or 'ridge mean\\[-1]'.  \\[default: the lowest RMSE]",
    ),
]

MovedEncoderOption = Annotated[
    str | None,
    typer.Option(
        "--encoder", metavar="FOLDER", help="Where the run's encoder is now, when it has moved."
    ),
]

MovedWeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--encoder-weights",
        metavar="FILE",
        help="Where the encoder's fine-tuned weights are now.",
    ),
]

ScratchOption = Annotated[
    Path | None,
    typer.Option(
        "--scratch",
        metavar="BANK",
        help="Keep new texts here, and the run's bank as it is (it may be read-only).",
    ),
]

DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
