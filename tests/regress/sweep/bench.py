"""All that fitting the candidates of a sweep takes, without a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from features.banks import Banks
from regress import TunedKernelRidge, TunedSVR, make_folds
from regress.data.task import checked_task
from regress.models.registry import named_regressors
from regress.models.ridge import ALPHAS
from regress.sweep.candidates import Candidate, ResolvedSelection, combinations, single_blocks
from regress.sweep.products import Grams
from regress.sweep.splits import Split, Workspace
from regress.sweep.store import Store
from tests.regress.conftest import MadeUpTask

PLENTY = 1 << 30


class Bench:
    """All that fitting candidates takes."""

    def __init__(self, task: MadeUpTask, folder: Path, memory: int = PLENTY, Y: Any = None) -> None:
        self.banks = Banks([task.bank])
        self.task = checked_task(task.texts, task.y if Y is None else Y)
        self.folds = make_folds(self.task.keys, self.task.Y)
        self.grams = Grams(self.banks, self.task, self.folds, memory)
        regressors = named_regressors(
            ["ridge", TunedKernelRidge([0.5], ALPHAS[:9]), TunedSVR([0.5], [1.0, 4.0], [0.1])]
        )
        names = {task.bank.name: task.bank.fingerprint}
        self.store = Store(folder, names, self.task, self.folds, regressors)
        self.split = Split([Workspace(self.grams, self.store)])

    def fit(self, *candidates: Candidate, on_done: Any = lambda work: None) -> None:
        wanted = dict.fromkeys(candidates, self.split.every_fit())
        self.split.fit(wanted, n_jobs=None, on_done=on_done)

    def selection(self, select: str) -> ResolvedSelection:
        every = [*single_blocks(self.banks), *combinations(self.banks, [select])]
        return next(selection for selection in every if selection.text == select)

    def nested_predictions(self, model: str, select: str) -> np.ndarray:
        candidate = Candidate(model, self.selection(select))
        self.fit(candidate)
        return self.split.scoring(0).nested_predictions([candidate] * self.folds.n_folds)
