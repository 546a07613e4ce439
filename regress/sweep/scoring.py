"""What the finished fits of candidates say of them: errors, chosen settings, predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from regress.compute.arrays import Matrix
from regress.sweep.candidates import Candidate
from regress.sweep.store import Store, leaving_out


class Scoring:
    """Choices and scores of candidates for one target, on one split into folds.

    Every method that takes `outer` looks at no row of that fold, but for `outer_predictions`.

    Parameters
    ----------
    stores
        One for all folds; or one a fold, where each fold has its own bank.
    target
        Index of the target.
    """

    def __init__(self, stores: Sequence[Store], target: int) -> None:
        self.stores, self.target, self.folds = stores, target, stores[0].folds
        self._errors: dict[tuple[Candidate, int | None], Matrix] = {}

    def store(self, fold: int) -> Store:
        """Where the fits are that score a fold, or that choose for it."""
        return self.stores[fold if len(self.stores) > 1 else 0]

    def errors(self, candidate: Candidate, outer: int | None) -> Matrix:
        """Mean squared error of each setting, (n_settings,), over the folds but `outer`."""
        if (candidate, outer) not in self._errors:
            inner = [fold for fold in range(self.folds.n_folds) if fold != outer]
            errors = self.errors_of_each(dict.fromkeys(inner, candidate), outer)
            self._errors[candidate, outer] = errors
        return self._errors[candidate, outer]

    def errors_of_each(self, candidates: Mapping[int, Candidate], outer: int | None) -> Matrix:
        """The same where each fold has a candidate of its own, with the same settings."""
        errors = [
            self.store(fold if outer is None else outer).errors(
                candidate, leaving_out(outer, fold), fold
            )
            for fold, candidate in candidates.items()
        ]
        return np.asarray(np.mean(errors, axis=0)[:, self.target])

    def chosen(self, candidate: Candidate, outer: int) -> int:
        """Index of the setting with the lowest error over the folds but `outer`."""
        return int(self.errors(candidate, outer).argmin())

    def outer_predictions(self, candidate: Candidate, outer: int) -> Matrix:
        """For the rows of `outer`, by a fit without it at the setting chosen without it."""
        predicted = self.store(outer).predictions(candidate, (outer,))
        return predicted[:, self.chosen(candidate, outer), self.target]

    def inner_predictions(self, candidate: Candidate, outer: int) -> Matrix:
        """For all rows but those of `outer` (NaN there), each by a fit without its own fold too.

        Shape (n_samples,), at the setting that is chosen without `outer`.
        """
        predicted = np.full(len(self.folds), np.nan)
        setting = self.chosen(candidate, outer)
        for fold in range(self.folds.n_folds):
            if fold != outer:
                left_out = leaving_out(outer, fold)
                rows = self.folds.rows(left_out)
                scored = self.folds.numbers[rows] == fold
                held_out = self.store(outer).predictions(candidate, left_out)
                predicted[rows[scored]] = held_out[scored, setting, self.target]
        return predicted

    def nested_predictions(self, candidates: Sequence[Candidate]) -> Matrix:
        """Shape (n_samples,): each fold by its candidate, tuned and fitted without it.

        Parameters
        ----------
        candidates
            One for each fold.
        """
        predicted = np.empty(len(self.folds))
        for outer, candidate in enumerate(candidates):
            predicted[self.folds.rows([outer])] = self.outer_predictions(candidate, outer)
        return predicted

    def cv_rmse(self, candidate: Candidate) -> Matrix:
        """Cross-validated RMSE over all rows of each setting, shape (n_settings,)."""
        weights = self.stores[0].task.weights
        masses = np.bincount(self.folds.numbers, weights, self.folds.n_folds)
        errors = [
            self.store(fold).errors(candidate, (fold,), fold)[:, self.target]
            for fold in range(self.folds.n_folds)
        ]
        return np.asarray(np.sqrt((masses / masses.sum()) @ np.stack(errors)))
