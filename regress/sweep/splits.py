"""A split of the rows into folds, with the features and the finished fits of its folds.

Mostly one bank, or several side by side, serve every fold. Where each fold has a bank of its own
(`regress.data.fold_banks`), fold k is scored on bank k alone, and what is chosen for it is chosen
there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from features.bank import Bank
from features.banks import Banks
from features.selection import ResolvedTerm
from regress.compute.parallel import in_processes, workers_a_machine
from regress.data.fold_banks import FoldBanks
from regress.data.folds import Folds
from regress.data.task import Task
from regress.models.base import FittedModel, Setting
from regress.models.ensembles import FoldModels
from regress.models.estimator import TunedRegressor
from regress.sweep.candidates import Candidate, ResolvedSelection
from regress.sweep.fitting import OnDone, fit_candidates, refit
from regress.sweep.products import Grams, LeftOut
from regress.sweep.scoring import Scoring
from regress.sweep.store import Store, leaving_out

#: A fit of a candidate: the number of the workspace that it is fitted in, and the folds left out.
Fit = tuple[int, LeftOut]


class Workspace(NamedTuple):
    """The features that fits take, and the fits that are finished."""

    grams: Grams
    store: Store


class Split:
    """One split into folds.

    Parameters
    ----------
    workspaces
        One for all folds, or one a fold.
    """

    def __init__(self, workspaces: Sequence[Workspace]) -> None:
        self.workspaces = workspaces
        self.folds = workspaces[0].grams.folds

    @property
    def banks(self) -> Banks:
        """The banks of the first workspace, by whose names selections know those of every one."""
        return self.workspaces[0].grams.banks

    @property
    def has_fold_banks(self) -> bool:
        """Whether each fold has a bank of its own."""
        return len(self.workspaces) > 1

    def workspace(self, fold: int) -> Workspace:
        """Where a fold is scored."""
        return self.workspaces[self._number(fold)]

    def scoring(self, target: int) -> Scoring:
        """Choices and scores of one target."""
        return Scoring([workspace.store for workspace in self.workspaces], target)

    def fits(self, outer: int | None) -> list[Fit]:
        """What choosing without `outer`, and scoring the choice on it, needs."""
        n_folds = self.folds.n_folds
        if outer is None:
            return [(self._number(fold), (fold,)) for fold in range(n_folds)]
        pairs = [pair for pair in combinations(range(n_folds), 2) if outer in pair]
        return [(self._number(outer), left_out) for left_out in [*pairs, (outer,)]]

    def fit_without(self, outer: int, fold: int) -> Fit:
        """What scores `fold` where `outer` must not be seen."""
        return self._number(outer), leaving_out(outer, fold)

    def every_fit(self) -> list[Fit]:
        """What a nested score needs."""
        outer_folds = range(self.folds.n_folds)
        return [*dict.fromkeys(fit for outer in outer_folds for fit in self.fits(outer))]

    def fit(
        self,
        wanted: Mapping[Candidate, Iterable[Fit]],
        *,
        n_jobs: int | None,
        on_done: OnDone,
        n_best: int = 0,
    ) -> None:
        """Make the fits that are wanted and not there yet; as `fit_candidates`."""
        for number, workspace in enumerate(self.workspaces):
            here = {
                candidate: [left_out for place, left_out in fits if place == number]
                for candidate, fits in wanted.items()
            }
            fit_candidates(*workspace, here, n_jobs=n_jobs, on_done=on_done, n_best=n_best)
            if self.has_fold_banks:
                workspace.grams.forget()

    def refit(self, candidate: Candidate, target: int, setting: Setting) -> FittedModel:
        """A candidate's model of all rows; or those of all folds, each fitted without its own."""
        if not self.has_fold_banks:
            return refit(*self.workspaces[0], candidate, target, setting)
        return FoldModels(
            tuple(
                refit(*workspace, candidate, target, setting, (fold,))
                for fold, workspace in enumerate(self.workspaces)
            )
        )

    def _number(self, fold: int) -> int:
        return fold if self.has_fold_banks else 0


def open_split(
    banks: Banks,
    task: Task,
    folds: Folds,
    regressors: dict[str, TunedRegressor],
    *,
    cache: Path,
    memory: int | None,
    n_jobs: int | None,
) -> Split:
    """Open the workspaces of a split.

    Raises
    ------
    MissingTexts
        A bank lacks some of the texts.
    """
    workspaces = []
    for own in _banks_of_workspaces(banks):
        grams = Grams(own, task, folds, memory)
        grams.require()
        if in_processes():
            grams.room = grams.memory // workers_a_machine(n_jobs)
        fingerprints = {name: bank.fingerprint for name, bank in own.by_name.items()}
        workspaces.append(Workspace(grams, Store(cache, fingerprints, task, folds, regressors)))
    return Split(workspaces)


def terms_in(banks: Banks, selection: ResolvedSelection) -> tuple[ResolvedTerm, ...]:
    """What a selection's models read: its terms; or these in the bank of each fold."""
    if not isinstance(banks, FoldBanks):
        return selection.terms
    return tuple(term._replace(bank=name) for name in banks.by_name for term in selection.terms)


def _banks_of_workspaces(banks: Banks) -> list[Banks]:
    if not isinstance(banks, FoldBanks):
        return [banks]
    first = next(iter(banks.by_name))
    return [_Alike(first, bank) for bank in banks.by_name.values()]


class _Alike(Banks):
    """A bank under the name of the first of several that are alike but for their weights."""

    def __init__(self, name: str, bank: Bank) -> None:
        super().__init__([bank])
        self.by_name = {name: bank}
