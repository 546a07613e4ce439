"""What was tried for one target, and what the sweep chooses of it: without each fold, and on all.

The lowest of many errors is too low, since the rows that it is measured on have chosen it. The
nested scores need no correction for that. The choice itself does where a forward search takes
part: what it finds fits the very rows that it was found on, and would win over selections that
were named beforehand for no merit. So its error is first raised by its optimism.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from regress.compute.arrays import Matrix
from regress.models.base import Setting
from regress.sweep.candidates import Candidate, ResolvedSelection, distinct
from regress.sweep.scoring import Scoring
from regress.sweep.splits import Split

#: The regressor that tries every selection, since it costs least.
RIDGE = "ridge"


@dataclass(frozen=True, eq=False)
class SplitSearch:
    """What was tried for one target on one split into folds.

    Attributes
    ----------
    split, target
        What was searched.
    fixed
        Selections that were named before any target was seen.
    found
        By outer fold, what the forward search found without that fold.
    found_within
        By outer fold, and then by each other fold, what it found without both: what the search is
        worth on rows that it has not seen. Empty where too few folds are left for it.
    candidates
        By outer fold, what there is to choose from without that fold.
    """

    split: Split
    target: int
    fixed: Sequence[ResolvedSelection]
    found: Mapping[int, ResolvedSelection]
    found_within: Mapping[int, Mapping[int, ResolvedSelection]]
    candidates: Mapping[int, list[Candidate]]

    @cached_property
    def scoring(self) -> Scoring:
        """Errors and predictions of every candidate."""
        return self.split.scoring(self.target)

    def choice(self, outer: int, model: str | None = None) -> Candidate:
        """The candidate, or that of one regressor, with the lowest error without a fold."""
        candidates = [c for c in self.candidates[outer] if model in (None, c.model)]
        return min(candidates, key=lambda candidate: self.error(candidate, outer))

    def choices(self, model: str | None = None) -> list[Candidate]:
        """The choice without each fold."""
        return [self.choice(outer, model) for outer in range(self.split.folds.n_folds)]

    def best_selections(self, outer: int) -> list[ResolvedSelection]:
        """Selections by the error that ridge has with them without a fold."""
        ridges = [candidate for candidate in self.candidates[outer] if candidate.model == RIDGE]
        ridges.sort(key=lambda candidate: self.error(candidate, outer))
        return distinct(candidate.selection for candidate in ridges)

    def error(self, candidate: Candidate, outer: int) -> float:
        """The lowest mean squared error over the folds but `outer`, raised by its optimism."""
        lowest = self.scoring.errors(candidate, outer).min()
        return float(lowest + self.optimism(candidate.selection, outer))

    def optimism(self, selection: ResolvedSelection, outer: int | None) -> float:
        """By how much the error of what was searched is too low over the folds but `outer`.

        Ridge's error, fold by fold, with what a search finds that has not seen the fold, less
        ridge's error with what the search of all these folds has found (B. Efron, "How biased is
        the apparent error rate of a prediction rule?", 1986, names it so). 0 for a selection that
        was named beforehand.
        """
        found = self.found if outer is None else self.found_within.get(outer)
        if not found or selection in self.fixed:
            return 0.0
        unseeing = {fold: Candidate(RIDGE, unseen) for fold, unseen in found.items()}
        honest = self.scoring.errors_of_each(unseeing, outer).min()
        return max(
            0.0, float(honest - self.scoring.errors(Candidate(RIDGE, selection), outer).min())
        )

    def inner_predictions(self, model: str | None = None) -> Matrix:
        """Shape (n_folds, n_samples): what was chosen without a fold, on each of the others.

        Each row is predicted by a fit without its own fold and without that one, whose own rows
        are NaN.
        """
        choices = enumerate(self.choices(model))
        return np.stack(
            [self.scoring.inner_predictions(chosen, outer) for outer, chosen in choices]
        )


@dataclass(frozen=True, eq=False)
class Search:
    """What was tried for one target, on every split.

    Attributes
    ----------
    splits
        What was tried on each.
    found
        What the forward search found on all rows; where each fold has its own bank, what it found
        for each.
    candidates
        What there is to choose from on all rows.
    """

    splits: Sequence[SplitSearch]
    found: Sequence[ResolvedSelection]
    candidates: list[Candidate]

    @property
    def target(self) -> int:
        """Index of the target."""
        return self.splits[0].target

    @property
    def fixed(self) -> Sequence[ResolvedSelection]:
        """Selections that were named before any target was seen."""
        return self.splits[0].fixed

    def choice(self, model: str | None = None) -> Candidate:
        """The candidate, or that of one regressor, with the lowest error on all rows."""
        candidates = [c for c in self.candidates if model in (None, c.model)]
        return min(candidates, key=self.error)

    def best_selections(self) -> list[ResolvedSelection]:
        """Selections by the error that ridge has with them on all rows."""
        ridges = [candidate for candidate in self.candidates if candidate.model == RIDGE]
        return distinct(candidate.selection for candidate in sorted(ridges, key=self.error))

    def error(self, candidate: Candidate) -> float:
        """The lowest mean squared error, over all folds and splits, raised by its optimism."""
        optimism = [search.optimism(candidate.selection, None) for search in self.splits]
        return float(self._errors(candidate).min() + np.mean(optimism))

    def setting(self, candidate: Candidate) -> Setting:
        """The setting with that error."""
        return self.settings(candidate)[int(self._errors(candidate).argmin())]

    def settings(self, candidate: Candidate) -> list[Setting]:
        """What a candidate's regressor chooses from."""
        return self.splits[0].scoring.stores[0].settings(candidate)

    def naive_rmse(self, candidate: Candidate) -> float:
        """The lowest cross-validated RMSE: the same folds choose and score."""
        rmses = [search.scoring.cv_rmse(candidate) for search in self.splits]
        return float(np.mean(rmses, axis=0).min())

    def _errors(self, candidate: Candidate) -> Matrix:
        errors = [search.scoring.errors(candidate, None) for search in self.splits]
        return np.asarray(np.mean(errors, axis=0))
