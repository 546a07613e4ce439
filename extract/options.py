"""Options as a caller gives them, and what can be said against them at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

from extract.engines.device import DEVICE, PRECISIONS
from extract.engines.encoder import ENGINES
from extract.engines.pooling import choose_poolings
from extract.texts.input import Shard
from extract.texts.members import CHOICES
from features.errors import InputError

#: In place of a number: the maximum length that a sentence-transformers folder sets.
FOLDER = "folder"

#: What becomes of texts beyond the maximum length: cut off, or read in overlapping windows.
LONG = ("truncate", "window")


def refuse_fractions(**given: object) -> None:
    """InputError for an option that is neither a whole number nor None."""
    for name, value in given.items():
        if value is not None and not isinstance(value, Integral):
            raise InputError(
                f"{name} takes a whole number, not {value!r}: give one, or leave it out"
            )


@dataclass(frozen=True, slots=True)
class Options:
    """What decides the numbers; None where not given. See :func:`extract.extract`."""

    encoder: str | Path | None = None
    revision: str | None = None
    poolings: Sequence[str] | None = None
    max_length: int | str | None = None
    precision: str | None = None
    long: str | None = None
    stride: int | None = None
    encoder_weights: str | Path | None = None
    prompt: str | None = None
    special_tokens: str | None = None

    def check(self) -> None:
        """InputError for a value that can never be right, before anything is looked up."""
        if self.precision not in (None, "auto", *PRECISIONS):
            raise InputError(
                f"there is no precision {self.precision!r}: choose from "
                f"auto, {', '.join(PRECISIONS)}"
            )
        if self.poolings is not None:
            choose_poolings(self.poolings)
        if isinstance(self.max_length, str) and self.max_length != FOLDER:
            raise InputError(
                f"max_length takes a whole number, not {self.max_length!r}: give one, or the word "
                f"{FOLDER} for that of a sentence-transformers folder"
            )
        length = None if isinstance(self.max_length, str) else self.max_length
        refuse_fractions(max_length=length, stride=self.stride)
        if length is not None and length < 1:
            raise InputError(
                f"a maximum length of {self.max_length} tokens holds no text: give --max-length "
                "512, say"
            )
        if self.long not in (None, *LONG):
            raise InputError(
                f"there is no way {self.long!r} with long texts: choose from {', '.join(LONG)}"
            )
        if self.special_tokens not in (None, *CHOICES):
            raise InputError(
                f"there is no way {self.special_tokens!r} with special tokens in a text: choose "
                f"from {', '.join(CHOICES)}"
            )
        if self.stride is not None and (self.stride < 1 or self.long == "truncate"):
            raise InputError(
                f"a stride of {self.stride} tokens makes no windows: give a positive --stride, "
                "with --long window"
            )


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What decides only how fast it goes, and what is shown. See :func:`extract.extract`."""

    device: str = "auto"
    engine: str = "auto"
    batch_tokens: int | None = None
    total: int | None = None
    progress: bool = False
    devices: tuple[str, ...] = ()
    """One process each, as :func:`extract.scale.devices.parse_devices` gives them; empty for
    none but this one."""
    shard: Shard | None = None

    def check(self) -> None:
        """InputError for a value that can never be right, whatever devices there are."""
        if not re.fullmatch(DEVICE, self.device):
            raise InputError(
                f"there is no device {self.device!r}: choose from auto, cpu, cuda, cuda:N, mps"
            )
        if self.devices and self.device != "auto":
            raise InputError(
                f"--device {self.device} and --devices {','.join(self.devices)} say two things: "
                "give one of them"
            )
        if self.engine not in ENGINES:
            raise InputError(
                f"there is no engine {self.engine!r}: choose from {', '.join(ENGINES)}"
            )
        refuse_fractions(batch_tokens=self.batch_tokens, total=self.total)
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise InputError(
                f"batches of {self.batch_tokens} tokens hold no text: give --batch-tokens 4096, say"
            )
