"""What comes of a search: the results of the procedures, and the rows of the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence

from features.banks import Banks
from regress.compute.arrays import Matrix
from regress.data.matrix import n_columns
from regress.data.task import Task
from regress.evaluation.leaderboard import LeaderboardRow, leaderboard_row
from regress.evaluation.metrics import mean_scores
from regress.evaluation.results import Repeat, scored
from regress.sweep.candidates import Candidate
from regress.sweep.choice import RIDGE, Search, SplitSearch
from regress.sweep.results import AutoResult
from regress.sweep.splits import terms_in


def results_of(search: Search, banks: Banks, task: Task, models: Sequence[str]) -> list[AutoResult]:
    """The whole procedure, and the same among each regressor's candidates; each with its winner."""
    among: list[str | None] = [None, *(models if len(models) > 1 else [])]
    return [_result(search, banks, task, model) for model in among]


def leaderboard_rows(
    search: Search, banks: Banks, task: Task, results: Sequence[AutoResult]
) -> list[LeaderboardRow]:
    """Everything that was tried and has nested predictions, the lowest RMSE first.

    Those are candidates that were named beforehand, the forward search, and the procedures.
    """
    params = {(result.model, result.select): result.params for result in results}

    def row(kind: str, candidate: Candidate, predictions: Sequence[Matrix]) -> LeaderboardRow:
        model, select = candidate.model, candidate.selection.text
        terms = terms_in(banks, candidate.selection)
        return leaderboard_row(
            kind, model, select, terms, n_columns(banks.by_name, terms),
            task=task, target=search.target, folds=search.splits[0].split.folds,
            predictions=predictions, naive_rmse=search.naive_rmse(candidate),
            params=params.get((model, select), {}),
        )  # fmt: skip

    rows = []
    for candidate in search.candidates:
        if candidate.selection in search.fixed:
            kind = "block" if len(candidate.selection.blocks or ()) == 1 else "combination"
            rows.append(row(kind, candidate, _nested(search, candidate)))
    if search.found:
        best = min((Candidate(RIDGE, found) for found in search.found), key=search.naive_rmse)
        predictions = [
            own.scoring.nested_predictions(
                [Candidate(RIDGE, own.found[outer]) for outer in sorted(own.found)]
            )
            for own in search.splits
        ]
        rows.append(row("greedy", best, predictions))
    for result in results:
        rows.append(row(result.procedure, search.choice(result.only), [*result.splits()]))
    return sorted(rows, key=lambda row: row.scores.rmse)


def _nested(search: Search, candidate: Candidate) -> list[Matrix]:
    """Nested predictions of a candidate on each split."""
    return [
        own.scoring.nested_predictions([candidate] * own.split.folds.n_folds)
        for own in search.splits
    ]


def _result(search: Search, banks: Banks, task: Task, model: str | None) -> AutoResult:
    winner = search.choice(model)
    setting, terms = search.setting(winner), terms_in(banks, winner.selection)
    first, *repeats = [_repeat(search, own, task, model) for own in search.splits]
    return AutoResult(
        select=winner.selection.text,
        terms=terms,
        n_columns=n_columns(banks.by_name, terms),
        model=winner.model,
        target=task.target_names[search.target],
        predictions=first.predictions,
        scores=mean_scores([repeat.scores for repeat in [first, *repeats]]),
        naive_rmse=search.naive_rmse(winner),
        fold_rmse=first.fold_rmse,
        fold_params=first.fold_params,
        params=dict(setting),
        fitted=search.splits[0].split.refit(winner, search.target, setting),
        seconds=0.0,
        repeats=tuple(repeats),
        procedure="auto" if model is None else f"auto {model}",
        inner=[own.inner_predictions(model) for own in search.splits],
    )


def _repeat(search: Search, own: SplitSearch, task: Task, model: str | None) -> Repeat:
    """The procedure on one split into folds."""
    choices = own.choices(model)
    return scored(
        task,
        search.target,
        own.split.folds,
        own.scoring.nested_predictions(choices),
        naive_rmse=float(own.scoring.cv_rmse(search.choice(model)).min()),
        fold_params=[
            dict(search.settings(chosen)[own.scoring.chosen(chosen, outer)])
            for outer, chosen in enumerate(choices)
        ],
    )
