"""The README's table: nested scores on the CommonLit readability corpus.

    python benchmarks/clear.py train.csv --encoder FOLDER [--bank DIR]

The corpus is not part of this project: give its ``train.csv`` (columns ``excerpt`` and
``target``). The bank is made where there is none.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from features.tables.table import open_table, read_dataset
from layerbank import evaluate, extract

SELECT = ["mean[-1]", "mean[4]", "mean[:]", "cls[:]+mean[:]"]
MODELS = ["ridge", "krr", "svr", "lightgbm"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--bank", type=Path, default=Path("clear.bank"))
    options = parser.parse_args()

    dataset = read_dataset(open_table(options.csv), text=["excerpt"], target=["target"])
    report = extract(
        dataset.texts, options.bank, encoder=options.encoder, precision="fp32", progress=True
    )
    print(f"extraction: {report.n_new} texts in {report.seconds:.0f} s\n")
    began = time.perf_counter()
    experiment = evaluate(
        options.bank,
        dataset.texts,
        dataset.targets,
        select=SELECT,
        models=MODELS,
        progress=True,
    )
    seconds = time.perf_counter() - began
    print("| selection | model | RMSE | ± | MAE | R² | Pearson | Spearman | naive RMSE |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in experiment.table.itertuples():
        numbers = [row.rmse, row.se, row.mae, row.r2, row.pearson, row.spearman, row.naive_rmse]
        print(f"| `{row.select}` | {row.model} | " + " | ".join(f"{x:.4f}" for x in numbers) + " |")
    print(f"\nfold hash {experiment.folds.digest[:12]}; regression took {seconds:.0f} s")


if __name__ == "__main__":
    main()
