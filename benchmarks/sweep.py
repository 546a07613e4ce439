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
from dataclasses import replace
from pathlib import Path

from regression import made_up

from features import Bank
from features.tables.table import open_table, read_dataset
from regress import evaluate
from regress.blend import blend, save_blend
from regress.blend.results import blend_results
from regress.sweep import DEFAULT_MODELS, save_sweep, sweep


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--text", default="excerpt")
    parser.add_argument("--target", default="target")
    parser.add_argument("--rows", type=int, default=2834, help="texts that are made up")
    parser.add_argument("--model", nargs="+", default=list(DEFAULT_MODELS))
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
    rows = [
        *(replace(row, name=f"ridge `{row.select}`") for row in plain.rows("target")),
        *(replace(row, name=f"sweep, {row.kind} ({row.model} `{row.select}`)",
                  seconds=of_sweep if row.kind == "auto" else None)
          for row in swept.rows("target") if row.kind.startswith("auto")),
        replace(blend_results(blended).rows("target")[0], name="blend of the sweep",
                seconds=of_blend),
    ]  # fmt: skip
    print(f"{bank}: {len(texts)} texts, {len(bank.blocks)} blocks × {bank.hidden_size}; folds "
          f"{swept.folds.short}\n")  # fmt: skip
    print("| procedure | seconds | naive RMSE | nested RMSE | ± | behind (95 %) |")
    print("|---|---|---|---|---|---|")
    for standing in plain.standings("target", rows):
        row, behind = standing.row, standing.behind
        took = "" if row.seconds is None else f"{row.seconds:.0f}"
        interval = f"{behind.value:.4f} ({behind.low:.4f} to {behind.high:.4f})"
        interval = "" if standing.verdict == "best" else interval
        print(f"| {row.name} | {took} | {row.naive_rmse:.4f} | {row.scores.rmse:.4f} "
              f"| {row.scores.se:.4f} | {interval} |")  # fmt: skip


if __name__ == "__main__":
    main()
