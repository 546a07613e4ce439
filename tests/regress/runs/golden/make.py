"""Writes golden runs of the current format version; run once for each version, then never again.

    python -m tests.regress.runs.golden.make /golden
    mv /golden tests/regress/runs/golden/version-<n>

Runs hold the paths of their banks, so it writes where a path says nothing of a machine.
``version-<n>/`` holds the banks, a run folder of every kind and, in ``expected.json``, what each
saved model predicted for new texts and how that was explained.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features import Bank
from regress import (
    Run,
    TunedKernelRidge,
    TunedLightGBM,
    TunedPairwise,
    TunedSVR,
    evaluate,
    load_run,
)
from regress.blend import blend, save_blend
from regress.sweep import save_sweep, sweep
from tests.made_up import SETUP, SOURCE
from tests.regress.conftest import fill

TEXTS = [f"golden text {i}" for i in range(36)]
NEW = [f"a new text {i}" for i in range(5)]
#: Each run, and the banks that it was fitted on.
RUNS: dict[str, str] = {
    "every-model": "whole.bank",
    "approximated": "whole.bank",
    "sweep": "whole.bank",
    "blend": "whole.bank",
    "fold-banks": "tuned-{fold}.bank",
    "blend-of-fold-banks": "tuned-{fold}.bank",
}


def make_bank(path: Path, seed: int, y: np.ndarray) -> Bank:
    """Two layers of three numbers; the later one knows something of the first target."""
    rng = np.random.default_rng(seed)
    setup = {**SETUP, "hidden_size": 3, "n_layers": 2, "pooler": False, "weights": f"{seed:064x}"}
    bank = Bank.create(path, setup, SOURCE)
    states = rng.standard_normal((len(TEXTS) + len(NEW), len(bank.blocks), 3))
    for number, block in enumerate(bank.blocks):
        states[: len(TEXTS), number] += 0.7 * (block.layer or 0) * y[:, :1]
    fill(bank, TEXTS + NEW, states.astype(np.float32))
    return bank


def expected(run: Run, bank: str) -> dict[str, Any]:
    """What the models of a run say of new texts and of two of its own."""
    texts = [*NEW, *TEXTS[:2]]
    models = list(dict.fromkeys(saved.label for saved in run.models))
    common = [m for m in models if {s.target for s in run.models if s.label == m} == {*run.targets}]
    return {
        model: {
            "predictions": run.predict(texts, bank, model=model).tolist(),
            "explanations": [
                {
                    "base": explanation.base,
                    "blocks": dict(explanation.blocks),
                    "neighbours": [[n.id, n.similarity] for n in explanation.neighbours],
                }
                for explanation in explanations(run, texts, bank, model)
            ],
        }
        for model in [None, *common]
    }


def explanations(run: Run, texts: Sequence[str], bank: str, model: str | None) -> Sequence[Any]:
    """Of a model; without neighbours where pairwise models of one bank a fold have none."""
    chosen = run.chosen(model)
    folds = "{fold}" in bank and any(one.model == "pairwise" for one in chosen)
    return run.explain(texts, bank, model=model, n_neighbours=0 if folds else 3, training=TEXTS)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir()
    os.chdir(folder)
    rng = np.random.default_rng(7)
    y = rng.standard_normal((len(TEXTS), 2))
    make_bank(Path("whole.bank"), 10, y)
    for fold in range(3):
        make_bank(Path(f"tuned-{fold}.bank"), fold, y)
    small = [
        TunedKernelRidge([0.5], [1.0]),
        TunedSVR([0.5, 1.0], [1.0], [0.1]),
        TunedLightGBM(12, 4),
        TunedPairwise([0.5], [1.0]),
    ]
    evaluate(
        "whole.bank", TEXTS, 5 + 2 * y, select=["mean[-1]", "avg(cls[:])+max[1]"],
        models=["ridge", *small], cv=3, random_state=[0, 1], target_names=["first", "second"],
    ).save("every-model")  # fmt: skip
    evaluate(
        "whole.bank", TEXTS, y[:, 0], select="*[:]", cv=3, sample_weight=1 + np.arange(36) % 3,
        models=[
            TunedKernelRidge([0.5], [1.0], max_rows=20, n_landmarks=12),
            TunedSVR([0.5], [1.0], [0.1], max_rows=20, n_landmarks=12),
        ],
    ).save("approximated")  # fmt: skip
    save_sweep(sweep("whole.bank", TEXTS, y[:, 0], models=["ridge", *small[:3]], cv=3), "sweep")
    save_blend(blend(["sweep"]), "blend")
    evaluate(
        "tuned-{fold}.bank", TEXTS, y[:, 0], select=["mean[-1]", "cls[:]"],
        models=["ridge", *small], folds=[str(i % 3) for i in range(36)],
    ).save("fold-banks")  # fmt: skip
    save_blend(blend(["fold-banks"]), "blend-of-fold-banks")
    told = {name: expected(load_run(name), bank) for name, bank in RUNS.items()}
    Path("expected.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
