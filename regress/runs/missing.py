"""Banks that hold the texts a run is to predict, the missing ones encoded first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from features.bank import Bank, is_bank
from features.disk.manifest import refuse_other_setup
from features.disk.system import is_writable
from features.errors import InputError
from features.keys import Text
from regress.data.fold_banks import fold_template, of_each_fold
from regress.runs.folder import SCRATCH
from regress.runs.run import Run
from regress.runs.training import require_training

#: Encodes texts into the bank in a folder, as a run's record of a bank says.
Encode = Callable[[Sequence[Text], Path, Mapping[str, Any]], None]


def banks_holding(
    run: Run,
    texts: Sequence[Text],
    encode: Encode,
    *,
    model: str | None = None,
    bank: Path | None = None,
    scratch: Path | None = None,
    training: Sequence[Text] | None = None,
) -> list[Bank]:
    """Open the banks that a run's models need, with all of these texts in them.

    Parameters
    ----------
    run, model
        The run, and which of its models.
    texts
        What is to be predicted.
    encode
        What encodes the texts that are missing: stage 1, which this stage does not know.
    bank
        The folder of the bank to use instead of the recorded one. ``{fold}`` in it stands for the
        folds of a run with one bank a fold.
    scratch
        A folder that takes the missing texts, so that the bank stays as it is; a folder of banks
        when the models need several. Where the recorded bank is gone and none is given, it is
        ``scratch`` in the run's own folder.
    training
        The run's training texts, where neighbours are looked for among them: they must be there,
        and are not encoded.

    Raises
    ------
    FingerprintMismatch
        When a bank, or the encoder, is not the recorded one.
    InputError
        When `bank` is none, or there is no place to write to.
    RunError
        When training texts are missing.
    """
    needed = run.banks_needed(model)
    instead: list[Path | None] = [bank] * len(needed)
    if bank is not None and fold_template(bank) is not None:
        instead = [Path(str(path)) for path in of_each_fold(str(bank), needed)]
    elif len(needed) > 1 and bank is not None:
        raise InputError(
            f"the run {run.path} needs {len(needed)} banks, and --bank can name only one: put "
            "them back where they were, or give --scratch"
        )
    for named in instead:
        if named is not None and not is_bank(named):
            raise InputError(
                f"--bank {named} is not a bank: name one that is there, or have new texts kept in "
                "one of their own with --scratch"
            )
    places = []
    for recorded, other in zip(needed, instead, strict=True):
        path = other or Path(recorded["path"])
        aside = scratch
        if scratch is not None and len(needed) > 1:
            aside = scratch / f"{recorded['name']}.bank"
        if aside is None and other is None and not is_bank(path):
            aside = run.path / SCRATCH / f"{recorded['name']}.bank"
        places.append((recorded, path, aside))
    if training is not None:  # of every bank, before encoding into any, which may take long
        for recorded, path, aside in places:
            there = _opened(recorded, path, aside)
            where = path if there is None else there.path
            require_training(run, where, there, training, coming=texts)
    return [_filled(texts, encode, *place) for place in places]


def _opened(recorded: Mapping[str, Any], path: Path, scratch: Path | None) -> Bank | None:
    """The bank as it is now, with its scratch where that is there; None for neither."""
    aside = scratch if scratch is not None and is_bank(scratch) else None
    if not is_bank(path):
        return None if aside is None else Bank.open(aside)
    bank = Bank.open(path)
    refuse_other_setup(path, bank.setup, recorded["setup"])
    return bank if aside is None else Bank.open(path, overlay=aside)


def _filled(
    texts: Sequence[Text],
    encode: Encode,
    recorded: Mapping[str, Any],
    path: Path,
    scratch: Path | None,
) -> Bank:
    if not is_bank(path):
        target = scratch or path
        _refuse_read_only(target)
        encode(texts, target, recorded)
        return Bank.open(target)
    bank = _opened(recorded, path, scratch)
    assert bank is not None
    known = bank.contains(texts)
    if known.all():
        return bank
    target = scratch or path
    _refuse_read_only(target)
    missing = [text for text, there in zip(texts, known, strict=True) if not there]
    encode(missing, target, recorded)
    return Bank.open(path, overlay=scratch)


def _refuse_read_only(folder: Path) -> None:
    """InputError unless a folder can be written to, or made."""
    if not is_writable(folder):
        raise InputError(
            f"new texts cannot be added to {folder}, which cannot be written to: keep them "
            "elsewhere with --scratch BANK"
        )
