"""Results as a run's folder has them: without its banks, and without what only these hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.banks import Banks
from features.errors import LayerbankError
from features.keys import Text, digest, text_keys
from regress.data.folds import Folds
from regress.data.source import Source
from regress.data.task import Task
from regress.evaluation.leaderboard import LeaderboardRow, leaderboard_row
from regress.evaluation.oof import WEIGHT, as_numbers, seeded
from regress.evaluation.results import Results
from regress.runs.folder import RunFolder


class NoBanks(Banks):
    """A run's banks may be gone, and are not looked for."""

    def __init__(self) -> None:
        self.by_name = {}


@dataclass(frozen=True, eq=False)
class RecordedResults(Results):
    """What a report takes of results that were saved.

    Attributes
    ----------
    recorded
        By target, its leaderboard.
    """

    recorded: Mapping[str, list[LeaderboardRow]] = field(default_factory=dict)

    def rows(self, target: str) -> list[LeaderboardRow]:
        return self.recorded[target]


def recorded_task(
    run: RunFolder,
    table: Mapping[str, Sequence[str]],
    *,
    texts: Sequence[Text] | None = None,
    groups: Sequence[str] | None = None,
) -> tuple[Task, list[Folds]]:
    """The task of a run, and its splits into folds.

    Parameters
    ----------
    run, table
        The run, and what `RunFolder.read_oof` gave.
    texts, groups
        Where they are at hand. Without texts each row counts by itself.
    """
    description = run.description
    id_name, ids = next(iter(table.items()))
    shown = [""] * len(ids) if texts is None else texts
    weighted = bool(description["texts"].get("weighted")) and WEIGHT in table
    task = Task(
        texts=shown,
        keys=text_keys([str(number) for number in range(len(ids))] if texts is None else texts),
        Y=np.stack([as_numbers(table[name]) for name in run.targets], axis=1),
        target_names=tuple(run.targets),
        ids=ids,
        id_name=id_name,
        groups=groups,
        weights=np.array(table[WEIGHT], np.float64) if weighted else None,
    )
    recorded = description["folds"]
    splits = [
        Folds(
            numbers=numbers,
            n_folds=recorded["n_folds"],
            scheme=recorded["scheme"],
            seed=split["seed"] or 0,
            digest=split["hash"],
            labels=tuple(recorded.get("labels") or ()),
        )
        for numbers, split in zip(
            run.fold_numbers(table), [recorded, *recorded["repeats"]], strict=True
        )
    ]
    return task, splits


def texts_at_hand(run: RunFolder) -> tuple[Sequence[Text] | None, Sequence[str] | None]:
    """A run's texts and groups, from the file that it was made of, where that is as it was."""
    recorded = run.description.get("input")
    if not recorded or not run.written_here:
        return None, None
    try:
        dataset = Source.recorded(recorded).read_kept()
    except (LayerbankError, OSError):
        return None, None
    if digest(text_keys(dataset.texts)) != run.description["texts"]["keys"]:
        return None, None
    return dataset.texts, dataset.groups


def recorded_results(
    run: RunFolder,
    *,
    texts: Sequence[Text] | None = None,
    groups: Sequence[str] | None = None,
) -> RecordedResults:
    """Results of any run, as its ``run.json`` and ``oof.csv`` say.

    Parameters
    ----------
    texts, groups
        As `recorded_task`.

    Raises
    ------
    RunError
        The folder is damaged.
    """
    table = run.read_oof()
    task, [folds, *repeats] = recorded_task(run, table, texts=texts, groups=groups)
    rows: dict[str, list[LeaderboardRow]] = {target: [] for target in run.targets}
    for result in run.description["results"]:
        first = result["column"]
        columns = [first, *(seeded(first, seed) for seed in run.seeds)]
        of_target = rows[result["target"]]
        # A sweep's results are procedures, and its headline, like a blend's, comes first.
        kinds = {"sweep": "auto", "blend": "blend"}
        kind = "result" if of_target else kinds.get(run.made_by, "result")
        row = leaderboard_row(
            kind, result["model"], result["select"], (), result["n_columns"],
            task=task, target=run.targets.index(result["target"]), folds=folds,
            predictions=[as_numbers(table[name]) for name in columns],
            naive_rmse=result["naive_rmse"], params=result["params"],
            name=_name(run.made_by, result),
        )  # fmt: skip
        of_target.append(row)
    return RecordedResults(
        banks=NoBanks(), task=task, folds=folds, results=[], regressors={}, repeats=repeats,
        recorded=rows,
    )  # fmt: skip


def _name(made_by: str, result: Mapping[str, Any]) -> str:
    """What a saved result is called: nothing of its own in a run of `evaluate`."""
    if made_by == "regress":
        return ""
    column = str(result["column"])
    chosen = f" ({result['model']} {result['select']})" if made_by == "sweep" else ""
    return column + chosen
