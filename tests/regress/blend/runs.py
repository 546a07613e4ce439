"""Two runs to be blended, of three quick regressors."""

from __future__ import annotations

from pathlib import Path

from regress import TunedLightGBM, TunedSVR, evaluate
from tests.regress.conftest import MadeUpTask

QUICK = ["ridge", TunedSVR([0.5], [1.0], [0.1]), TunedLightGBM(20, 10)]


def two_runs(task: MadeUpTask, folder: Path) -> list[Path]:
    one = evaluate(task.bank, task.texts, task.y, select=["mean[1]", "max[-1]"], models=QUICK[:2])
    two = evaluate(task.bank, task.texts, task.y, select="mean[1]", models=QUICK[2:])
    return [one.save(folder / "one"), two.save(folder / "two")]
