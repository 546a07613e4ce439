"""What there is to be shown of a blend: its leaderboard, and what has to be said beside it."""

from __future__ import annotations

from functools import partial

from regress.blend.blended import MODEL, Blend, Blended
from regress.data.folds import Folds
from regress.data.task import Task
from regress.evaluation.leaderboard import LeaderboardRow, leaderboard_row
from regress.evaluation.notes import on_scores, text_pairs
from regress.runs.recorded import NoBanks, RecordedResults, recorded_task, texts_at_hand


def blend_results(blend: Blend) -> RecordedResults:
    """What there is to be shown of a blend, whose runs' banks may be gone: itself comes first."""
    first = blend.runs[0]
    texts, groups = texts_at_hand(first)
    task, [folds, *repeats] = recorded_task(first, blend.table, texts=texts, groups=groups)
    return RecordedResults(
        banks=NoBanks(), task=task, folds=folds, results=[], regressors={}, repeats=repeats,
        recorded={each.target: _rows(blend, each, task, folds) for each in blend.targets},
    )  # fmt: skip


def largest_weights(blend: Blend) -> dict[str, list[tuple[str, float]]]:
    """By target, the weight of each base by name, the largest first."""
    return {
        blended.target: sorted(blended.named_weights.items(), key=lambda item: -abs(item[1]))
        for blended in blend.targets
    }


def _rows(blend: Blend, blended: Blended, task: Task, folds: Folds) -> list[LeaderboardRow]:
    row = partial(
        leaderboard_row, task=task, target=task.target_names.index(blended.target), folds=folds
    )
    columns = {base.terms: int(base.recorded["n_columns"]) for base in blended.bases}
    return [
        row(
            MODEL, MODEL, blended.select, (), sum(columns.values()),
            predictions=[blended.predictions, *(repeat.predictions for repeat in blended.repeats)],
            naive_rmse=blended.naive_rmse, params={}, name=f"blend by {blend.method}",
        ),
        *(
            row(
                "result", base.saved.model, base.saved.select, (), columns[base.terms],
                predictions=base.predictions, naive_rmse=float(base.recorded["naive_rmse"]),
                params=base.saved.params, name=base.name,
            )
            for base in blended.bases
        ),
    ]  # fmt: skip


def notes_on_blend(blend: Blend, results: RecordedResults) -> list[str]:
    """What has to be said beside the scores of a blend, whose results `blend_results` gave."""
    description = blend.runs[0].description
    texts, found = description["texts"], []
    if repeats := description["folds"]["repeats"]:
        found.append(f"scores are means over {len(repeats) + 1} splits into folds")
    if texts.get("weighted"):
        found.append("weights of the blend and scores are weighted by the sample weights")
    for target, n in (texts.get("n_with_target") or {}).items():
        if n < texts["n"]:
            found.append(
                f"{target} is blended and scored on the {n} of {texts['n']} rows that have it"
            )
    near = texts.get("near_duplicates") or {}
    if near.get("straddling"):
        found.append(
            f"near-duplicates: {text_pairs(near['pairs'])}, {near['straddling']} of them in "
            "different folds, which flatters the scores"
        )
    return [*found, *on_scores(results)]
