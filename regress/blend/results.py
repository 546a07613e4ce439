"""What there is to be shown of a blend: its leaderboard, and what has to be said beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from features.banks import Banks
from features.errors import LayerbankError
from features.keys import Text, digest, text_keys
from regress.blend.blended import MODEL, Blend, Blended
from regress.data.folds import Folds
from regress.data.source import Source
from regress.data.task import Task
from regress.evaluation.leaderboard import LeaderboardRow, leaderboard_row
from regress.evaluation.notes import text_pairs
from regress.evaluation.results import Results


class NoBanks(Banks):
    """A blend is made of runs, whose banks may be gone."""

    def __init__(self) -> None:
        self.by_name = {}


@dataclass(frozen=True, eq=False)
class BlendResults(Results):
    """A blend as the report takes results.

    Attributes
    ----------
    blended
        By target, the blend and its bases, the blend first.
    """

    blended: Mapping[str, list[LeaderboardRow]] = field(default_factory=dict)

    def rows(self, target: str) -> list[LeaderboardRow]:
        return self.blended[target]


def blend_results(blend: Blend) -> BlendResults:
    """What there is to be shown of a blend."""
    table, description = blend.table, blend.runs[0].description
    id_name, ids = next(iter(table.items()))
    texts, groups = _texts(description) if blend.runs[0].written_here else (None, None)
    known = texts is not None
    shown = [""] * len(ids) if texts is None else texts
    weighted = bool(description["texts"].get("weighted")) and "weight" in table
    task = Task(
        texts=shown,
        # Without the texts each row counts by itself.
        keys=text_keys(shown if known else [str(number) for number in range(len(ids))]),
        Y=np.stack([np.array(table[name], np.float64) for name in description["targets"]], axis=1),
        target_names=tuple(description["targets"]),
        ids=ids,
        id_name=id_name,
        groups=groups,
        weights=np.array(table["weight"], np.float64) if weighted else None,
    )
    recorded = description["folds"]
    folds = Folds(
        numbers=blend.runs[0].fold_numbers(table)[0],
        n_folds=recorded["n_folds"],
        scheme=recorded["scheme"],
        seed=recorded["seed"] or 0,
        digest=recorded["hash"],
        labels=tuple(recorded.get("labels") or ()),
    )
    return BlendResults(
        banks=NoBanks(), task=task, folds=folds, results=[], regressors={},
        blended={each.target: _rows(blend, each, task, folds) for each in blend.targets},
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


def _texts(description: Mapping[str, Any]) -> tuple[Sequence[Text] | None, Sequence[str] | None]:
    """Texts and groups from the runs' file, where it is as it was."""
    recorded = description.get("input")
    if not recorded:
        return None, None
    try:
        dataset = Source.recorded(recorded).read()[1]
    except (LayerbankError, OSError):
        return None, None
    if digest(text_keys(dataset.texts)) != description["texts"]["keys"]:
        return None, None
    return dataset.texts, dataset.groups


def notes_on_blend(description: Mapping[str, Any]) -> list[str]:
    """What has to be said beside the scores of a blend; of its first run's ``run.json``."""
    texts, found = description["texts"], []
    if repeats := description["folds"]["repeats"]:
        found.append(f"scores are means over {len(repeats) + 1} splits into folds")
    if texts.get("weighted"):
        found.append("weights of the blend and scores are weighted by the sample weights")
    near = texts.get("near_duplicates") or {}
    if near.get("straddling"):
        found.append(
            f"near-duplicates: {text_pairs(near['pairs'])}, {near['straddling']} of them in "
            "different folds, which flatters the scores"
        )
    return found
