"""Banks that hold the texts a run is to predict, the missing ones encoded first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features.bank import Bank, is_bank
from features.disk.manifest import is_bank_folder, refuse_other_setup
from features.disk.system import is_writable
from features.errors import FingerprintMismatch, InputError, RunError
from features.filling import Encode, fill
from features.keys import Text
from features.paths import hint
from regress.data.fold_banks import fold_template, of_each_fold
from regress.runs.folder import SCRATCH, RunFolder
from regress.runs.training import require_training


def holding(
    run: RunFolder,
    needed: Sequence[Mapping[str, Any]],
    texts: Sequence[Text],
    encode: Encode,
    *,
    bank: Sequence[Path] = (),
    scratch: Path | None = None,
    training: Sequence[Text] | None = None,
    encoder_named: bool = False,
    in_python: bool = False,
) -> dict[str, Bank]:
    """Open the banks that a run's models need, with all of these texts in them.

    Parameters
    ----------
    run, needed
        The run, and those of its banks that are needed, as it records them.
    texts
        What is to be predicted.
    encode
        What encodes the texts that are missing: stage 1, which this stage does not know.
    bank
        Folders of banks to use instead of the recorded ones. ``{fold}`` in one stands for the
        folds of a run with one bank a fold.
    scratch
        A folder that takes the missing texts, so that the bank stays as it is; a folder of banks
        when the models need several. Where the recorded bank is gone, or the run was not made
        here, and none is given, it is ``scratch`` in the run's own folder.
    training
        The run's training texts, where neighbours are looked for among them: they must be there,
        and are not encoded.
    encoder_named
        Whether the caller said which encoder encodes them: a run that was not made here is not
        asked.
    in_python
        Whether texts for a bank that cannot be written to are kept as long as the bank's object,
        rather than refused.

    Returns
    -------
    The banks by the names they have in the run.

    Raises
    ------
    FingerprintMismatch
        When a bank, or the encoder, is not the recorded one.
    InputError
        When `bank` is none, or there is no place to write to.
    RunError
        When training texts are missing, or an encoder that the run alone names is not taken.
    """
    places = []
    for recorded, named in zip(needed, _named(run, bank, needed), strict=True):
        path = Path(recorded["path"]) if named is None and run.written_here else named
        aside = scratch
        if scratch is not None and len(needed) > 1:
            aside = scratch / f"{recorded['name']}.bank"
        if aside is None and (path is None or not is_bank(path)):
            aside = _own_scratch(run, recorded["name"])
        places.append((recorded, path, aside))
    if training is not None:  # of every bank, before encoding into any, which may take long
        for recorded, path, aside in places:
            there = _opened(recorded, path, aside)
            where = there.path if there is not None else path or run.path
            require_training(run, where, there, training, coming=texts)
    return {
        place[0]["name"]: _filled(
            run, texts, encode, *place, encoder_named=encoder_named, in_python=in_python
        )
        for place in places
    }


def _named(
    run: RunFolder, bank: Sequence[Path], needed: Sequence[Mapping[str, Any]]
) -> Sequence[Path | None]:
    """The folder that was named for each bank that is needed, None where none was."""
    template = fold_template(bank)
    banks = bank if template is None else [Path(p) for p in of_each_fold(template, needed)]
    for named in banks:
        if not is_bank(named):
            near = hint(named, is_bank_folder)
            raise InputError(
                f"--bank {named} is not a bank{near}: name one that is there, or have new texts "
                "kept in one of their own with --scratch"
            )
    if template is not None or (len(banks) == 1 and len(needed) == 1):
        return banks
    by_fingerprint = {Bank.open(path).fingerprint: path for path in banks}
    if wrong := by_fingerprint.keys() - {recorded["fingerprint"] for recorded in needed}:
        raise FingerprintMismatch(
            f"the model of the run {run.path} was fitted on none like the bank "
            f"{by_fingerprint[min(wrong)]}: give --bank for each of "
            f"{', '.join(recorded['name'] for recorded in needed)}"
        )
    return [by_fingerprint.get(recorded["fingerprint"]) for recorded in needed]


def _own_scratch(run: RunFolder, name: str) -> Path:
    """A bank in the run's own folder; RunError where a link leads out of that."""
    folder = run.path / SCRATCH
    for path in (folder, bank := folder / f"{name}.bank"):
        if path.is_symlink():
            raise RunError(
                f"{path} is a link, and nothing is written through those of a run: name the bank "
                "with --scratch"
            )
    return bank


def _opened(recorded: Mapping[str, Any], path: Path | None, scratch: Path | None) -> Bank | None:
    """The bank as it is now, with its scratch where that is there; None for neither."""
    aside = scratch if scratch is not None and is_bank(scratch) else None
    if path is None or not is_bank(path):
        return None if aside is None else Bank.open(aside)
    bank = Bank.open(path)
    refuse_other_setup(path, bank.setup, recorded["setup"])
    return bank if aside is None else Bank.open(path, overlay=aside)


def _filled(
    run: RunFolder,
    texts: Sequence[Text],
    encode: Encode,
    recorded: Mapping[str, Any],
    path: Path | None,
    scratch: Path | None,
    *,
    encoder_named: bool,
    in_python: bool,
) -> Bank:
    bank = _opened(recorded, path, scratch)
    known = [False] * len(texts) if bank is None else bank.contains(texts).tolist()
    if bank is not None and all(known):
        return bank
    if not encoder_named:
        run.require_written_here(
            f"the encoder {recorded['source'].get('encoder')}",
            f"{len(texts) - sum(known)} of the texts are in no bank that was named, so name the "
            "encoder with --encoder, or their bank with --bank",
        )
    target = scratch or path
    assert target is not None
    if bank is not None and in_python and not is_writable(target):
        fill(bank, texts, encode, recorded)
        return bank
    _refuse_read_only(target)
    missing = [text for text, there in zip(texts, known, strict=True) if not there]
    encode(missing, target, recorded)
    if path is None or not is_bank(path):
        return Bank.open(target)
    return Bank.open(path, overlay=scratch)


def _refuse_read_only(folder: Path) -> None:
    """InputError unless a folder can be written to, or made."""
    if not is_writable(folder):
        raise InputError(
            f"new texts cannot be added to {folder}, which cannot be written to: keep them "
            "elsewhere with --scratch BANK"
        )
