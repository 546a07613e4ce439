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

from features.bank import Bank, is_bank
from features.disk.format import MANIFEST
from features.disk.manifest import refuse_other_setup
from features.disk.notes import is_noted
from features.disk.system import is_writable
from features.errors import EncoderError, InputError
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
    *,
    scratch: Path | None = None,
    encoder_named: bool = False,
) -> None:
    """Encode the texts that a bank lacks, so that it holds all of them.

    Parameters
    ----------
    bank
        Takes in what is encoded: its snapshot is a new one afterwards.
    encode
        None where nothing can encode.
    scratch
        The folder of a bank that takes the texts, so that this one stays as it is. Without one,
        the texts of a bank that cannot be written to are kept as long as this object is.
    encoder_named
        Whether the caller said which encoder `encode` is to use.

    Raises
    ------
    MissingTexts
        The bank lacks texts, and nothing can encode them.
    EncoderError
        A bank that was not made here is the only one to name the encoder.
    InputError
        `scratch` cannot be written to.
    """
    missing = np.flatnonzero(~bank.contains(texts)).tolist()
    if not missing:
        return
    if encode is None:
        bank.require(texts)
    assert encode is not None
    lacking = [texts[i] for i in missing]
    if scratch is None and is_writable(bank.path):
        encode(lacking, bank.path, {})
    else:
        _fill_aside(bank, lacking, encode, scratch, encoder_named)
    bank.refresh()


def _fill_aside(
    bank: Bank, texts: Sequence[Text], encode: Encode, scratch: Path | None, encoder_named: bool
) -> None:
    """Encode texts into a second bank, which counts as part of the first from then on."""
    if not encoder_named and not is_noted(bank.path / MANIFEST):
        raise EncoderError(
            f"the bank {bank.path} was not made here, or not by you, so the encoder "
            f"{bank.source.get('encoder')} that it names is left alone: name it with --encoder "
            "(in Python encoder=…)"
        )
    if scratch is None:
        kept = tempfile.TemporaryDirectory(prefix="layerbank-")
        weakref.finalize(bank, kept.cleanup)
        scratch = Path(kept.name) / bank.path.name
    elif not is_writable(scratch):
        raise InputError(f"{scratch} cannot be written to: keep new texts in another --scratch")
    if is_bank(scratch):
        refuse_other_setup(scratch, Bank.open(scratch).setup, bank.setup)
    encode(texts, scratch, {"setup": bank.setup, "source": bank.source})
    bank.overlay = Bank.open(scratch)
