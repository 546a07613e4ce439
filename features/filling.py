"""Texts that a bank lacks, encoded on demand by whoever can.

This package encodes nothing. A function that meets texts which a bank lacks takes an `Encode`, and
refuses them where it is given none.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.bank import Bank
from features.disk.format import MANIFEST
from features.disk.notes import is_noted
from features.disk.system import is_writable
from features.keys import Text

#: Encodes texts into the bank in a folder, which is made where it is not there. The mapping says
#: what the bank must be like: ``setup`` and ``source``, as ``bank.json`` and ``run.json`` record
#: them. It is empty where the bank's own record is enough, or where a new bank may be anything.
Encode = Callable[[Sequence[Text], Path, Mapping[str, Any]], None]

#: Makes an `Encode` from --encoder, --encoder-weights, --device and --quiet.
EncodeWith = Callable[[str | None, Path | None, str, bool], Encode]


def fill(
    bank: Bank,
    texts: Sequence[Text],
    encode: Encode | None,
    recorded: Mapping[str, Any] | None = None,
) -> None:
    """Encode the texts that a bank lacks, so that it holds all of them.

    Those of a bank that cannot be written to are kept as long as this object is.

    Parameters
    ----------
    bank
        Takes in what is encoded: its snapshot is a new one afterwards.
    encode
        None where nothing can encode.
    recorded
        What to tell `encode` of a bank that cannot be written to; None for the bank's own record,
        whose encoder counts where the bank was made here.

    Raises
    ------
    MissingTexts
        The bank lacks texts, and nothing can encode them.
    """
    missing = np.flatnonzero(~bank.contains(texts)).tolist()
    if not missing:
        return
    if encode is None:
        bank.require(texts)
    assert encode is not None
    lacking = [texts[i] for i in missing]
    if is_writable(bank.path):
        encode(lacking, bank.path, {})
    else:
        aside = _aside(bank) if bank.overlay is None else bank.overlay.path
        source = bank.source if is_noted(bank.path / MANIFEST) else {}
        encode(lacking, aside, recorded or {"setup": bank.setup, "source": source})
        bank.overlay = Bank.open(aside)
    bank.refresh()


def _aside(bank: Bank) -> Path:
    """Where a bank may be made that lives as long as the object of another."""
    kept = tempfile.TemporaryDirectory(prefix="layerbank-")
    weakref.finalize(bank, kept.cleanup)
    return Path(kept.name) / bank.path.name
