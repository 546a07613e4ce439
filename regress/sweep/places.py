"""Divisions into folds, and what each fold's fits take their features from.

Mostly one bank, or several side by side, serve every fold. Where each fold has a bank of its own
(`regress.fold_banks`), there is a place for each: fold k is scored at place k, and what is chosen
for it is chosen there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from features.bank import Bank
from features.banks import Banks
from regress.compute.parallel import in_processes, workers_a_machine
from regress.data.fold_banks import FoldBanks
from regress.data.folds import Folds
from regress.data.task import Task
from regress.models.base import FittedModel, Setting
from regress.models.ensembles import FoldModels
from regress.models.estimator import TunedRegressor
from regress.sweep.candidates import Cell
from regress.sweep.fitting import OnDone, fit_parts, refit
from regress.sweep.parts import LeftOut, Scoring, Store, leaving_out, pairs_with, singles
from regress.sweep.products import Grams

#: A part of a cell: the number of the place where it is fitted, and the folds left out.
Part = tuple[int, LeftOut]


class Division:
    """One division into folds, with the features and the finished parts of each place.

    Parameters
    ----------
    places
        One for all folds, or one a fold.
    """

    def __init__(self, places: Sequence[tuple[Grams, Store]]) -> None:
        self.places = places
        self.folds = places[0][0].folds

    @property
    def banks(self) -> Banks:
        """The banks of the first place, by whose names selections know theirs at every place."""
        return self.places[0][0].banks

    def at(self, fold: int) -> tuple[Grams, Store]:
        """The place that scores a fold."""
        return self.places[self._number(fold)]

    def scoring(self, target: int) -> Scoring:
        """Choices and scores of one target."""
        return Scoring([store for _, store in self.places], target)

    def needed(self, outer: int | None) -> list[Part]:
        """What choosing without `outer`, and scoring the choice on it, needs."""
        if outer is None:
            return [(self._number(fold), (fold,)) for fold in range(self.folds.n_folds)]
        here = [*pairs_with(self.folds, outer), *singles(self.folds)[outer : outer + 1]]
        return [(self._number(outer), left_out) for left_out in here]

    def without(self, outer: int, fold: int) -> Part:
        """What scores `fold` where `outer` must not be seen."""
        return self._number(outer), leaving_out(outer, fold)

    def every_part(self) -> list[Part]:
        """What a nested score needs."""
        return [
            *dict.fromkeys(
                part for outer in range(self.folds.n_folds) for part in self.needed(outer)
            )
        ]

    def fit(
        self, wanted: Mapping[Cell, Iterable[Part]], *, n_jobs: int | None, on_done: OnDone
    ) -> None:
        """Fit the parts that are wanted and not there yet."""
        for number, (grams, store) in enumerate(self.places):
            here = {
                cell: [left_out for place, left_out in parts if place == number]
                for cell, parts in wanted.items()
            }
            fit_parts(grams, store, here, n_jobs=n_jobs, on_done=on_done)
            if len(self.places) > 1:
                grams.forget()

    def refit(self, cell: Cell, target: int, setting: Setting) -> FittedModel:
        """A cell's model of all rows; or those of all folds, each fitted without its own."""
        if len(self.places) == 1:
            return refit(*self.places[0], cell, target, setting)
        return FoldModels(
            tuple(
                refit(*place, cell, target, setting, (fold,))
                for fold, place in enumerate(self.places)
            )
        )

    def _number(self, fold: int) -> int:
        return fold if len(self.places) > 1 else 0


def open_division(
    banks: Banks,
    task: Task,
    folds: Folds,
    regressors: dict[str, TunedRegressor],
    *,
    cache: Path,
    memory: int | None,
    n_jobs: int | None,
) -> Division:
    """Open the places of a division; MissingTexts unless the banks hold every text."""
    if isinstance(banks, FoldBanks):
        first = next(iter(banks.by_name))
        of_place: list[Banks] = [_Alike(first, bank) for bank in banks.by_name.values()]
    else:
        of_place = [banks]
    places = []
    for here in of_place:
        grams = Grams(here, task, folds, memory)
        grams.require()
        if in_processes():
            grams.room = grams.memory // workers_a_machine(n_jobs)
        fingerprints = {name: bank.fingerprint for name, bank in here.by_name.items()}
        places.append((grams, Store(cache, fingerprints, task, folds, regressors)))
    return Division(places)


class _Alike(Banks):
    """A bank under the name of the first of several that are alike but for their weights."""

    def __init__(self, name: str, bank: Bank) -> None:
        super().__init__([bank])
        self.by_name = {name: bank}
