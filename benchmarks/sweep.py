"""How long the default sweep and its blend take, and how well they score, beside plain ridge.

    python benchmarks/sweep.py --bank clear.bank --csv train.csv

Without a bank the features are made up, as in ``benchmarks/regression.py``: then only the times
say anything. From bank to report, nothing kept from before. The plain lines are ridge on the last
layer's mean, which everybody takes, and on the means of all layers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from regression import made_up

from features import Bank
from features.tables.table import open_table, read_dataset
from regress import evaluate
from regress.blend import blend, save_blend
from regress.evaluation.metrics import against_best
from regress.sweep import MODELS, save_sweep, sweep


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--text", default="excerpt")
    parser.add_argument("--target", default="target")
    parser.add_argument("--rows", type=int, default=2834, help="texts that are made up")
    parser.add_argument("--model", nargs="+", default=list(MODELS))
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.bank:
            dataset = read_dataset(
                open_table(options.csv), text=[options.text], target=[options.target]
            )
            bank, texts, y = Bank.open(options.bank), list(dataset.texts), dataset.targets[:, 0]
        else:
            bank, texts, y = made_up(folder, options.rows)
        plain = evaluate(bank, texts, y, select=["mean[-1]", "mean[:]"], n_jobs=options.jobs)
        began = time.perf_counter()
        swept = sweep(
            bank, texts, y, models=options.model, cache=folder / "parts", n_jobs=options.jobs,
            progress=True,
        )  # fmt: skip
        run = save_sweep(swept, folder / "swept")
        of_sweep = time.perf_counter() - began
        began = time.perf_counter()
        blended = blend([run])
        save_blend(blended, folder / "blended")
        of_blend = time.perf_counter() - began
    [of_all] = blended.targets
    lines = [
        *((f"ridge `{one.select}`", one.seconds, one.naive_rmse, one.scores, one.predictions)
          for one in plain.results),
        *((f"sweep, {swept.label(one)} ({one.model} `{one.select}`)",
           of_sweep if swept.label(one) == "auto" else None, one.naive_rmse, one.scores,
           one.predictions) for one in swept.results),
        ("blend of the sweep", of_blend, of_all.naive_rmse, of_all.scores, of_all.predictions),
    ]  # fmt: skip
    lines.sort(key=lambda line: line[3].rmse)
    behind = against_best(np.stack([(line[4] - y) ** 2 for line in lines]))
    print(f"{bank}: {len(texts)} texts, {len(bank.blocks)} blocks × {bank.hidden_size}; folds "
          f"{swept.folds.short}\n")  # fmt: skip
    print("| procedure | seconds | naive RMSE | nested RMSE | ± | behind (95 %) |")
    print("|---|---|---|---|---|---|")
    for (what, seconds, naive, scores, _), far in zip(lines, behind, strict=True):
        took = "" if seconds is None else f"{seconds:.0f}"
        interval = f"{far.behind:.4f} ({far.low:.4f} to {far.high:.4f})" if far.behind else ""
        print(f"| {what} | {took} | {naive:.4f} | {scores.rmse:.4f} | {scores.se:.4f} "
              f"| {interval} |")  # fmt: skip


if __name__ == "__main__":
    main()
