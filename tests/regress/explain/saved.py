"""Runs whose training file lies beside them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regress import TunedLightGBM, TunedSVR, evaluate, load_run
from regress.data.source import Source
from regress.runs.run import Run
from regress.runs.save import save_run
from tests.regress.conftest import MadeUpTask

QUICK = ["ridge", TunedSVR([0.5], [1.0], [0.1]), TunedLightGBM(20, 10)]


def save(task: MadeUpTask, path: Path, models: Sequence[Any] = QUICK, **options: Any) -> Run:
    """A run whose training file lies beside it."""
    table = path.with_suffix(".csv")
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = zip(map("{:03d}".format, range(len(task.texts))), task.texts, task.y, strict=True)
        csv.writer(file).writerows([["id", "text", "target"], *rows])
    source, dataset = Source(path=str(table), target=["target"], id="id").read()
    options = {"select": "mean[1:]+avg(max[:])", "models": models, **options}
    experiment = evaluate(
        options.pop("bank", task.bank), dataset.texts, dataset.targets,
        **{**source.arguments(dataset), **options},
    )  # fmt: skip
    return load_run(save_run(experiment, path, source=vars(source)))
