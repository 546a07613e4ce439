"""The texts that a run was trained on, among which neighbours are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.errors import InputError, RunError
from features.keys import Text, digest, text_keys
from features.paths import as_path, hint
from features.texts import TextsLike, as_texts
from regress.data.source import Source
from regress.evaluation.oof import as_numbers
from regress.runs.folder import RunFolder


@dataclass(frozen=True, eq=False)
class TrainingTexts:
    """What a run was trained on.

    Attributes
    ----------
    texts, keys, ids
        n_samples texts, their keys, shape (n_samples, 32), and what their rows are called.
    id_name
        What the column of these is called.
    numbers
        Shape (n_samples,): equal for equal texts.
    targets
        Shape (n_samples,) of each target, by name; NaN where a row lacks it.
    """

    texts: Sequence[Text]
    keys: NDArray[np.uint8]
    ids: Sequence[str]
    id_name: str
    numbers: NDArray[np.int64]
    targets: dict[str, NDArray[np.float64]]

    def numbers_of(self, keys: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Number of each text by its key, -1 where it is none of these."""
        known = dict(zip(map(bytes, self.keys), self.numbers.tolist(), strict=True))
        return np.array([known.get(bytes(key), -1) for key in keys], np.int64)


def training_texts(run: RunFolder, training: TextsLike | str | Path | None = None) -> TrainingTexts:
    """The run's training texts in the order of its ``oof.csv``.

    Parameters
    ----------
    training
        The texts themselves, or where the run's file is now; None for where it was.

    Raises
    ------
    RunError
        The run does not say where its texts are, or was not made here and its word is not taken.
    InputError
        They are not the ones it was trained on.
    """
    table = run.read_oof()
    where = "the texts that were given"
    if training is None or isinstance(training, (str, Path)):
        recorded = run.description.get("input")
        if not recorded:
            raise RunError(
                f"{run.path} does not say which file its training texts are in: give them, as "
                "`training` in Python, or leave neighbours out with -k 0"
            )
        source = Source.recorded(recorded)
        if training is None:
            run.require_written_here(
                f"the training file {source.path}",
                "say where it is with --train, or leave neighbours out with -k 0",
            )
        source = source if training is None else replace(source, path=str(training), spooled=False)
        if not source.spooled and not (file := as_path(source.path)).exists():
            near = hint(file, Path.is_file)
            raise InputError(
                f"the run's training file {file} is not there{near}: say where it is now with "
                "--train, or leave neighbours out with -k 0"
            )
        where = source.path
        training = source.read_kept().texts
    texts = as_texts(training)
    keys = text_keys(texts)
    if digest(keys) != run.description["texts"]["keys"]:
        raise InputError(
            f"{where} are not the texts that {run.path} was trained on: give the file as it was "
            "with --train, or leave neighbours out with -k 0"
        )
    return TrainingTexts(
        texts=texts,
        keys=keys,
        ids=next(iter(table.values())),
        id_name=next(iter(table)),
        numbers=np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64),
        targets={name: as_numbers(table[name]) for name in run.targets},
    )


def require_training(
    run: RunFolder,
    path: Path,
    bank: Bank | None,
    training: Sequence[Text],
    *,
    coming: Sequence[Text] = (),
) -> None:
    """RunError unless a bank has a run's training texts, which neighbours are looked for among.

    Parameters
    ----------
    path, bank
        Where the bank is, and the bank; None where there is none yet.
    coming
        Texts that will be added to it.
    """
    known = np.zeros(len(training), bool) if bank is None else bank.contains(training)
    lacking = {text for text, there in zip(training, known, strict=True) if not there}
    lacking -= set(coming)
    if lacking:
        source = (run.description.get("input") or {}).get("path")
        raise RunError(
            f"{path} lacks {len(lacking)} of the training texts of {run.path}, which the "
            f"neighbours are looked for among: give the run's own bank with --bank, extract "
            f"{source or 'the training texts'} into this one, or leave neighbours out with -k 0"
        )
