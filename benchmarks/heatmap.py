"""The README's picture: nested RMSE of ridge on every block, drawn as a report draws it.

    python benchmarks/heatmap.py train.csv --bank clear.bank --out docs/heatmap.png

Takes the bank that ``benchmarks/clear.py`` made.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from features.tables.table import open_table, read_dataset
from layerbank import Bank, evaluate
from regress.report.charts import heat_map_figure
from regress.report.heat_maps import heat_maps
from regress.report.writing import drawn_figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--bank", type=Path, default=Path("clear.bank"))
    parser.add_argument("--out", type=Path, default=Path("docs/heatmap.png"))
    options = parser.parse_args()

    dataset = read_dataset(open_table(options.csv), text=["excerpt"], target=["target"])
    bank = Bank.open(options.bank)
    blocks = [f"{p}[{layer}]" for p in bank.poolings for layer in range(bank.n_layers)]
    experiment = evaluate(bank, dataset.texts, dataset.targets, select=blocks, progress=True)
    [heat_map] = heat_maps(experiment, "target")
    png, _ = drawn_figure(heat_map_figure(heat_map, several_banks=False))
    options.out.write_bytes(png)
    best = experiment.best
    print(f"best {best.select}: {best.scores.rmse:.4f} ± {best.scores.se:.4f}")


if __name__ == "__main__":
    main()
