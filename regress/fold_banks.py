"""One bank a fold, each of an encoder that was fine-tuned without that fold.

An encoder that was trained on texts and targets has seen them: folds made of its features look
wonderful and are wrong. With ``clrp-{fold}.bank``, fold k is scored on bank k alone, by a model
that was fitted on the other folds' features from that same bank. What that model's setting is
chosen by lies inside bank k too, among the folds its encoder was trained on. These look easier
than fold k is, so that a weaker penalty may be chosen than would have been best; any other bank's
encoder has seen fold k, and a score that is free of that is worth more.

New texts are predicted by the mean of these very models, each on its own bank.
"""

from __future__ import annotations

import io
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from features.bank import Bank
from features.banks import Banks
from features.blocks import ResolvedTerm
from features.errors import BankError, FingerprintMismatch, InputError
from features.format import differing_fields
from features.keys import Text
from features.selection import Selection
from regress.design import BankLike
from regress.folds import Folds
from regress.matrix import term_matrix
from regress.model import FittedModel, Matrix, Regressor
from regress.statistics import FoldData
from regress.tuning import Tuned, choose_for, hold_out, run_on

PLACE = "{fold}"
#: What the banks of the folds may differ in, and what they must.
WEIGHTS = "weights"


class FoldBanks(Banks):
    """The banks of the folds, in their order; a selection means the same blocks of each.

    A matrix has the selection's columns from every bank, side by side.
    """

    def __init__(self, by_label: Mapping[str, Bank]) -> None:
        super().__init__([*by_label.values()])
        self.labels = dict(zip(self.by_name, by_label, strict=True))

    def resolve(self, selection: str | Selection) -> tuple[ResolvedTerm, ...]:
        """The selection's blocks in the first bank, in the second, and so on."""
        return tuple(term for bank in self.by_name.values() for term in bank.resolve(selection))

    def matrix(
        self, texts: Sequence[Text], selection: str | Selection, *, dtype: DTypeLike = np.float32
    ) -> NDArray[Any]:
        """As `features.banks.Banks.matrix`."""
        return term_matrix(self.by_name, texts, self.resolve(selection)).astype(dtype, copy=False)

    def column_names(self, selection: str | Selection) -> list[str]:
        """Names of the matrix's columns, such as ``clrp-0/mean.12.0``."""
        return [
            f"{name}/{column}"
            for name, bank in self.by_name.items()
            for column in bank.column_names(selection)
        ]


def fold_template(bank: BankLike) -> str | None:
    """The path with ``{fold}`` in it, where there is one."""
    if isinstance(bank, (Bank, Banks)):
        return None
    several = [bank] if isinstance(bank, (str, Path)) else list(bank)
    found = [str(one) for one in several if isinstance(one, (str, Path)) and PLACE in str(one)]
    if found and len(several) > 1:
        raise InputError(f"{found[0]} stands for one bank a fold: give no other --bank beside it")
    return found[0] if found else None


def of_each_fold(template: str, recorded: Sequence[Mapping[str, Any]]) -> list[str]:
    """The path for each bank that a run recorded; InputError unless each had its fold."""
    if not all("fold" in of for of in recorded):
        raise InputError(f"the run has no bank for each fold, as {template} would: name one bank")
    return [template.replace(PLACE, of["fold"]) for of in recorded]


def open_fold_banks(template: str, folds: Folds) -> FoldBanks:
    """Open the bank of each fold.

    Raises
    ------
    InputError
        The folds were not given, or two folds have the bank of one encoder.
    BankError
        A fold has no bank.
    FingerprintMismatch
        The banks differ in more than their encoder's weights.
    """
    if not folds.labels:
        raise InputError(
            f"{template} stands for one bank a fold, and the folds must be those that the encoders "
            "were trained on: name the column that holds them with --fold-column"
        )
    banks: dict[str, Bank] = {}
    for label in folds.labels:
        path = template.replace(PLACE, label)
        try:
            banks[label] = Bank.open(path)
        except BankError as error:
            raise BankError(f"fold {label} has no bank at {path} ({error})") from None
    first_label, first = next(iter(banks.items()))
    weights = {str(first.setup[WEIGHTS]): first_label}
    for label, bank in [*banks.items()][1:]:
        fields = [name for name in differing_fields(first.setup, bank.setup) if name != WEIGHTS]
        if fields:
            raise FingerprintMismatch(
                f"the banks {first.path} and {bank.path} differ in {', '.join(fields)}, and may "
                "differ in their encoders' weights alone: extract them alike",
                fields,
            )
        other = weights.setdefault(str(bank.setup[WEIGHTS]), label)
        if other != label:
            raise InputError(
                f"the banks of folds {other} and {label} come from one encoder, which has seen "
                "one of these folds: extract each with the encoder trained without its fold"
            )
    return FoldBanks(banks)


def tune_fold_banks(
    data: Callable[[int], FoldData],
    regressors: Sequence[Regressor],
    folds: Folds,
    *,
    n_jobs: int | None = None,
    on_done: Callable[[], object] | None = None,
) -> list[Tuned]:
    """Tune, score and fit every regressor, fold k on bank k.

    Parameters
    ----------
    data
        Gives the features of all rows from the bank of a fold; held one at a time.

    Returns
    -------
    For each regressor; its models are `FoldModels`, `final` is empty.
    """
    n_folds = folds.n_folds
    chosen: list[list[NDArray[np.int64]]] = [[] for _ in regressors]
    errors: list[list[Matrix]] = [[] for _ in regressors]
    models: list[list[list[FittedModel]]] = [[] for _ in regressors]
    predictions: list[Matrix] = []
    seconds = np.zeros(len(regressors))
    for outer in range(n_folds):
        start, busy = time.perf_counter(), np.zeros(len(regressors))
        own = data(outer)
        own.prepare()
        pairs = [(min(outer, j), max(outer, j)) for j in range(n_folds) if j != outer]
        jobs = [(left_out,) for left_out in [(outer,), *pairs]]
        held = run_on(own, regressors, n_jobs, on_done)(hold_out, jobs)
        for at, (of_outer, *of_pairs) in enumerate(zip(*held, strict=True)):
            if not outer:
                predictions.append(np.empty_like(own.Y))
            inner = [of.errors[sum(pair) - outer] for of, pair in zip(of_pairs, pairs, strict=True)]
            best, predicted = choose_for(of_outer, inner)
            chosen[at].append(best)
            predictions[at][folds.rows([outer])] = predicted
            errors[at].append(of_outer.errors[outer])
            busy[at] = of_outer.seconds + sum(of.seconds for of in of_pairs)
        refits = [
            (outer, at, [regressor.settings()[i] for i in chosen[at][-1]])
            for at, regressor in enumerate(regressors)
        ]
        for at, fitted in enumerate(run_on(own, regressors, n_jobs, on_done)(_fit_without, refits)):
            models[at].append(fitted)
        seconds += busy / busy.sum() * (time.perf_counter() - start)
    shares = own.masses / own.masses.sum()
    return [
        Tuned(
            settings=regressor.settings(),
            errors=np.mean(errors[at], axis=0),
            cv_rmse=np.sqrt(np.tensordot(shares, errors[at], axes=1)),
            final=[],
            models=[FoldModels(tuple(of_target)) for of_target in zip(*models[at], strict=True)],
            seconds=float(seconds[at]),
            chosen=np.array(chosen[at]),
            predictions=predictions[at],
        )
        for at, regressor in enumerate(regressors)
    ]


def _fit_without(
    data: FoldData, regressors: Sequence[Regressor], fold: int, at: int, chosen: Sequence[Any]
) -> list[FittedModel]:
    return regressors[at].refit(data.training((fold,)), chosen)


@dataclass(frozen=True, eq=False)
class FoldModels:
    """The models of all folds: each predicts from its own bank's columns, and the mean counts."""

    models: tuple[FittedModel, ...]

    def predict(self, X: NDArray[Any]) -> Matrix:
        width = X.shape[1] // len(self.models)
        parts = [X[:, at * width : (at + 1) * width] for at in range(len(self.models))]
        each = [model.predict(part) for model, part in zip(self.models, parts, strict=True)]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)

    def save(self, stem: Path) -> Path:
        """One zip of the files that the models themselves write."""
        path = stem.with_name(stem.name + ".zip")
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path, "w") as archive:
            for number, model in enumerate(self.models):
                file = model.save(Path(folder) / f"fold-{number:03d}")
                archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
        return path

    @classmethod
    def load(cls, path: Path) -> Self:
        from regress.registry import MODELS

        kind = MODELS[path.stem.split("-", 1)[1]][1]
        models = []
        archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        with tempfile.TemporaryDirectory() as folder:
            for name in sorted(archive.namelist()):
                file = Path(folder) / Path(name).name
                file.write_bytes(archive.read(name))
                models.append(kind.load(file))
        return cls(tuple(models))
