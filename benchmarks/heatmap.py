"""The README's picture: nested RMSE of ridge on every block, layer by layer.

    python benchmarks/heatmap.py train.csv --bank clear.bank --out docs/heatmap.png

Takes the bank that ``benchmarks/clear.py`` made.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from features.tables.table import open_table, read_dataset
from layerbank import Bank, evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--bank", type=Path, default=Path("clear.bank"))
    parser.add_argument("--out", type=Path, default=Path("docs/heatmap.png"))
    options = parser.parse_args()

    dataset = read_dataset(open_table(options.csv), text=["excerpt"], target=["target"])
    bank = Bank.open(options.bank)
    blocks = [f"{p}[{layer}]" for p in bank.poolings for layer in range(bank.n_layers)]
    # cls[0] is one vector for all texts, and says nothing of any of them.
    scored = [block for block in blocks if block != "cls[0]"]
    experiment = evaluate(bank, dataset.texts, dataset.targets, select=scored, progress=True)
    rmse = {result.select: result.scores.rmse for result in experiment.results}
    grid = np.array([rmse.get(block, np.nan) for block in blocks]).reshape(-1, bank.n_layers)
    draw(grid, list(bank.poolings), options.out)
    best = experiment.best
    print(f"best {best.select}: {best.scores.rmse:.4f} ± {best.scores.se:.4f}")


def draw(grid: np.ndarray, poolings: list[str], out: Path) -> None:
    """A heat map of shape (poolings, layers), dark where the error is low."""
    figure, axes = plt.subplots(figsize=(7.6, 2.7), dpi=150)
    image = axes.imshow(grid, cmap="viridis", aspect="auto")
    middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
    for (row, column), value in np.ndenumerate(grid):
        text, color = (f"{value:.3f}", "white" if value < middle else "black")
        if np.isnan(value):
            text, color = "constant", "gray"
        weight = "bold" if value == np.nanmin(grid) else "normal"
        axes.text(column, row, text, ha="center", va="center", color=color, weight=weight, size=8)
    axes.set_xticks(range(grid.shape[1]), ["embeddings", *map(str, range(1, grid.shape[1]))])
    axes.set_yticks(range(len(poolings)), poolings)
    axes.set_xlabel("layer")
    axes.set_title("RMSE of ridge, one block each (lower is better)", size=10)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.colorbar(image, ax=axes, pad=0.02)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, bbox_inches="tight")


if __name__ == "__main__":
    main()
