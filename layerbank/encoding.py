"""Stage 1 as the other stages take it: what encodes the texts that a bank lacks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from extract.plan import Plan
    from features.keys import Text

log = logging.getLogger(__name__)

#: From so many new texts on, a short sample says first how long they will take.
SAMPLED = 500


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """A `features.filling.Encode` that calls `extract`.

    Attributes
    ----------
    encoder, weights
        The encoder that the caller named; None for the one that is recorded. ``{fold}`` stands
        for the fold of a run with one bank a fold.
    device
        As `extract.extract`.
    quiet
        Whether to show no progress, and to say nothing first.
    """

    encoder: str | None = None
    weights: Path | None = None
    device: str = "auto"
    quiet: bool = False

    def __call__(self, texts: Sequence[Text], into: Path, recorded: Mapping[str, Any]) -> None:
        """Encode texts into a bank, and say first how many, how long and how large."""
        from extract.dry_run import brief_forecast, dry_run
        from extract.options import RunOptions
        from extract.pipeline import run
        from extract.texts.input import Picked
        from extract.texts.stream import count_new

        plan, options = self._plan(into, recorded), RunOptions(device=self.device)
        options.check()
        n_new = count_new(plan.bank, Picked(texts, None))
        if n_new >= SAMPLED and not self.quiet:
            log.info("%s", brief_forecast(dry_run(plan, texts, options)))
        elif n_new:
            log.info("encoding %s new texts into %s", f"{n_new:,}", into)
        run(plan, texts, RunOptions(device=self.device, total=n_new, progress=not self.quiet))

    def tried(self, texts: Sequence[Text], into: Path) -> str:
        """What encoding texts into a bank would take; nothing is written to the bank."""
        from extract.dry_run import dry_run, forecast
        from extract.options import RunOptions

        plan = self._plan(into, {})
        found = dry_run(plan, texts, RunOptions(device=self.device))
        return forecast(found, plan.setup["max_length"], kept=plan.keeps_special)

    def _plan(self, into: Path, recorded: Mapping[str, Any]) -> Plan:
        from extract.options import Options
        from extract.plan import prepare
        from features.errors import EncoderError

        source = recorded.get("source", {})
        if recorded and not (self.encoder or source.get("encoder")):
            raise EncoderError(
                "the bank was not made here, or not by you, so the encoder that it names is left "
                "alone: name it with --encoder (in Python encoder=…)"
            )
        named = self.encoder and self.encoder.replace("{fold}", recorded.get("fold", ""))
        return prepare(
            into,
            Options(
                encoder=named or source.get("encoder"),
                revision=None if named else source.get("revision"),
                encoder_weights=self.weights or (None if self.encoder else source.get("weights")),
            ),
            recorded.get("setup"),
        )
