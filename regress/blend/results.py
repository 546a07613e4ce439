"""What has to be said beside the scores of an experiment, a sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.banks import Banks
from features.errors import LayerbankError
from features.keys import Text, digest, text_keys
from regress.blend.blended import Blend, Blended
from regress.data.folds import Folds
from regress.data.source import Source
from regress.data.task import Task
from regress.evaluation.lines import Entry
from regress.evaluation.metrics import Vector, mean_scores, rmse, score
from regress.evaluation.notes import _pairs
from regress.evaluation.results import Prepared
from regress.runs.folder import numbers_of_folds


class NoBanks(Banks):
    """A blend is made of runs, whose banks may be gone."""

    def __init__(self) -> None:
        self.by_name = {}


@dataclass(frozen=True, eq=False)
class BlendExperiment(Prepared):
    """A blend as the report takes experiments.

    Attributes
    ----------
    weights
        By target, the weight of each member by name, the largest first.
    notes
        What has to be said beside its scores.
    """

    weights: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)


def blend_experiment(blend: Blend) -> BlendExperiment:
    """What there is to be shown of a blend."""
    table, description = blend.table, blend.runs[0].description
    id_name, ids = next(iter(table.items()))
    texts, groups = _texts(description)
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
    of_folds = description["folds"]
    folds = Folds(
        numbers=numbers_of_folds(blend.runs[0], table)[0],
        n_folds=of_folds["n_folds"],
        scheme=of_folds["scheme"],
        seed=of_folds["seed"] or 0,
        digest=of_folds["hash"],
        labels=tuple(of_folds.get("labels") or ()),
    )
    weights = {
        one.target: sorted(
            zip((b.name for b in one.bases), one.weights.values.tolist(), strict=True),
            key=lambda item: -abs(item[1]),
        )
        for one in blend.targets
    }
    return BlendExperiment(
        banks=NoBanks(), task=task, folds=folds, results=[], regressors={},
        prepared={one.target: _entries(blend, one, task, folds) for one in blend.targets},
        weights=weights, notes=notes_on_blend(description),
    )  # fmt: skip


def _entries(blend: Blend, one: Blended, task: Task, folds: Folds) -> list[Entry]:
    y = task.Y[:, task.target_names.index(one.target)]

    def by_fold(predictions: Vector) -> list[float]:
        rows = (folds.rows([fold]) for fold in range(folds.n_folds))
        counts = task.weights
        return [rmse(y[of], predictions[of], None if counts is None else counts[of]) for of in rows]

    members = [
        Entry(
            kind="result",
            model=base.saved.model,
            select=base.saved.select,
            n_columns=int(base.recorded["n_columns"]),
            scores=mean_scores([score(y, of, task.weights) for of in base.predictions]),
            naive_rmse=float(base.recorded["naive_rmse"]),
            fold_rmse=by_fold(base.predictions[0]),
            predictions=base.predictions[0],
            bank_block=None,
            params=base.saved.params,
            name=base.name,
        )
        for base in one.bases
    ]
    columns = {base.terms: base.recorded["n_columns"] for base in one.bases}
    return [
        Entry(
            kind="blend",
            model="blend",
            select="+".join(dict.fromkeys(base.saved.select for base in one.bases)),
            n_columns=int(sum(columns.values())),
            scores=one.scores,
            naive_rmse=one.naive_rmse,
            fold_rmse=list(one.fold_rmse),
            predictions=one.predictions,
            bank_block=None,
            name=f"blend by {blend.method}",
        ),
        *members,
    ]


def _texts(
    description: Mapping[str, Any],
) -> tuple[Sequence[Text] | None, Sequence[str] | None]:
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
        found.append(f"scores are means over {len(repeats) + 1} divisions into folds")
    if texts.get("weighted"):
        found.append("weights of the blend and scores are weighted by the sample weights")
    near = texts.get("near_duplicates") or {}
    if near.get("straddling"):
        found.append(
            f"near-duplicates: {_pairs(near['pairs'])}, {near['straddling']} of them in "
            "different folds, which flatters the scores"
        )
    return found
