"""Is the nested estimate honest? Sweep and blend on 70 % of a corpus, scored on the other 30 %.

    python benchmarks/honesty.py --bank clear.bank --csv train.csv --splits 3 [--work DIR]

For each split the default sweep and a blend of it see 70 % of the texts, and predict the others.
Their nested estimate may be below the withheld score by two standard errors of the difference at
the most, and above it by no more than plain ridge's on ``mean[:]`` is, plus 0.012 (a full refit
sees a quarter more texts than a fold's). With ``--work`` finished fits are kept there, so that it
can be stopped and called again.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from features import Bank
from features.keys import text_keys
from features.tables.table import open_table, read_dataset
from regress import evaluate, load_run, score
from regress.blend import blend, save_blend
from regress.evaluation.metrics import Scores
from regress.sweep import save_sweep, sweep

#: Share of the texts that are withheld, and how far above the withheld score an estimate may be.
WITHHELD, ABOVE = 0.3, 0.012


class Line(NamedTuple):
    """One procedure on one split: its own estimate, and its score on the withheld texts."""

    split: int
    what: str
    naive: float
    nested: Scores
    withheld: Scores

    @property
    def above(self) -> float:
        return self.nested.rmse - self.withheld.rmse

    @property
    def se(self) -> float:
        return math.hypot(self.nested.se, self.withheld.se)

    def verdict(self, plain: Line) -> str:
        if self.above < -2 * self.se:
            return "flatters"
        return "too cautious" if self.above > plain.above + ABOVE else "honest"


def parted(texts: list[Any], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that are seen and rows that are withheld; copies of a text stay together."""
    _, which = np.unique(text_keys(texts), axis=0, return_inverse=True)
    which = which.reshape(-1)
    rng = np.random.default_rng(seed)
    away = rng.random(which.max() + 1).argsort() < WITHHELD * (which.max() + 1)
    return np.flatnonzero(~away[which]), np.flatnonzero(away[which])


def measure(bank: Bank, texts: list[Any], y: np.ndarray, split: int, folder: Path) -> list[Line]:
    seen, withheld = parted(texts, split)
    train, new, truth = [texts[i] for i in seen], [texts[i] for i in withheld], y[withheld]
    lines = []
    for select in ("mean[-1]", "mean[:]"):
        plain = evaluate(bank, train, y[seen], select=select)
        one, predicted = plain.best, plain.predict(new)
        what = f"ridge `{select}`"
        lines.append(Line(split, what, one.naive_rmse, one.scores, score(truth, predicted)))
    began = time.perf_counter()
    swept = sweep(bank, train, y[seen], cache=folder / f"{split}.parts", progress=True)
    print(f"split {split}: sweep {time.perf_counter() - began:.0f} s", flush=True)
    run = save_sweep(swept, folder / f"{split}", force=True)
    loaded = load_run(run)
    for result, saved in zip(swept.results, loaded.models, strict=True):
        X = bank.matrix(new, saved.select)
        scores = score(truth, saved.fitted.predict(X))
        what = f"sweep, {swept.label(result)} ({result.model} `{result.select}`)"
        lines.append(Line(split, what, result.naive_rmse, result.scores, scores))
    blended = blend([run])
    path = save_blend(blended, folder / f"{split}-blend", force=True)
    [one] = blended.targets
    scores = score(truth, load_run(path).predict(new, bank))
    return [*lines, Line(split, "blend of the sweep", one.naive_rmse, one.scores, scores)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--text", default="excerpt")
    parser.add_argument("--target", default="target")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--work", type=Path, help="keeps finished fits")
    options = parser.parse_args()
    dataset = read_dataset(open_table(options.csv), text=[options.text], target=[options.target])
    bank, y = Bank.open(options.bank), dataset.targets[:, 0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        of_split = [
            measure(bank, list(dataset.texts), y, split, folder) for split in range(options.splits)
        ]
    print("| split | procedure | naive RMSE | nested RMSE | withheld RMSE | nested − withheld "
          "| se of that | verdict |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for lines in of_split:
        plain = lines[1]
        for one in lines:
            judged = "plain" if one in lines[:2] else one.verdict(plain)
            print(
                f"| {one.split} | {one.what} | {one.naive:.4f} | {one.nested.rmse:.4f} ± "
                f"{one.nested.se:.4f} | {one.withheld.rmse:.4f} ± {one.withheld.se:.4f} | "
                f"{one.above:+.4f} | {one.se:.4f} | {judged} |"
            )


if __name__ == "__main__":
    main()
