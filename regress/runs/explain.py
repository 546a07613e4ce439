"""Why a prediction is what it is: the blocks it comes from, and the training texts it is like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.errors import InputError, RunError
from features.keys import Text, digest, text_keys
from regress.data.fold_banks import BankLike
from regress.data.source import Source
from regress.explain.explain import N_NEIGHBOURS, Explanations, _explained
from regress.explain.explanation import TrainingTexts
from regress.models.registry import MODELS
from regress.runs.folder import read_oof


def training_texts(run: Any, training: Sequence[Text] | str | Path | None = None) -> TrainingTexts:
    """The run's training texts in the order of its ``oof.csv``.

    Parameters
    ----------
    training
        The texts themselves, or where the run's file is now; None for where it was.

    Raises
    ------
    RunError
        The run does not say where its texts are.
    InputError
        They are not the ones it was trained on.
    """
    table = read_oof(run)
    where = "the texts that were given"
    if training is None or isinstance(training, (str, Path)):
        recorded = run.description.get("input")
        if not recorded:
            raise RunError(
                f"{run.path} does not say which file its training texts are in: give them, as "
                "`training` in Python, or leave neighbours out with -k 0"
            )
        source = Source.recorded(recorded)
        source = source if training is None else replace(source, path=str(training))
        if not Path(source.path).is_file():
            raise InputError(
                f"the run's training file {source.path} is not there: say where it is now with "
                "--train, or leave neighbours out with -k 0"
            )
        where = source.path
        training = source.read()[1].texts
    keys = text_keys(training)
    if digest(keys) != run.description["texts"]["keys"]:
        raise InputError(
            f"{where} are not the texts that {run.path} was trained on: give the file as it was "
            "with --train, or leave neighbours out with -k 0"
        )
    return TrainingTexts(
        texts=list(training),  # a pandas series would be indexed by its labels
        keys=keys,
        ids=next(iter(table.values())),
        id_name=next(iter(table)),
        numbers=np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64),
        targets={name: np.array(table[name], dtype=np.float64) for name in run.targets},
    )


def require_training(
    run: Any,
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


def explain(
    run: Any,
    texts: Sequence[Text],
    bank: BankLike | None = None,
    *,
    model: str | None = None,
    n_neighbours: int = N_NEIGHBOURS,
    training: Sequence[Text] | str | Path | None = None,
    ids: Sequence[object] | None = None,
) -> Explanations:
    """Explain predictions for texts that the banks hold.

    Parameters
    ----------
    run
        What `load_run` gave.
    texts, bank, model
        As `Run.predict`.
    n_neighbours
        How many training texts to find for each; 0 needs neither these nor their vectors.
    training
        The run's training texts, or where their file is now; None for where it was.
    ids
        What each text is called; None for numbers from 1.

    Raises
    ------
    RunError, FingerprintMismatch, MissingTexts
        As `Run.predict`; and where the training texts or their vectors are gone.
    InputError
        The training texts are not the run's, or the model's kind cannot be explained.
    """
    if n_neighbours < 0:
        raise InputError(f"neighbours are 0 or more, not {n_neighbours}")
    texts = list(texts)
    chosen = run.chosen(model)
    banks = run.open_banks(bank, model=model)
    names = [str(one) for one in (range(1, len(texts) + 1) if ids is None else ids)]
    known = training_texts(run, training) if n_neighbours else None
    if known is not None:
        for of_run in banks.values():
            require_training(run, of_run.path, of_run, known.texts)
    _none = np.empty(0, np.int64)
    columns = [
        _explained(
            of,
            _none if known is None else _candidates(run, of, known.targets[of.target]),
            banks,
            texts,
            names,
            known,
            n_neighbours,
        )
        for of in chosen
    ]
    items = [one for of_text in zip(*columns, strict=True) for one in of_text]
    return Explanations(run.path, items, "id" if known is None else known.id_name)


def _candidates(run: Any, chosen: Any, targets: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows that may be neighbours: those that the model's regressor compares texts with."""
    if chosen.model not in MODELS:  # a blend
        return np.arange(len(targets))
    params = run.description["regressors"][chosen.model]["params"]
    rows = MODELS[chosen.model](**params).compared_rows(targets)
    if len(rows) < len(targets) and chosen.fitted.fold_wise:
        raise InputError(
            f"{chosen.model} models of one bank a fold have anchors of their own in each fold: "
            "name another --model, or leave neighbours out with -k 0"
        )
    return rows
