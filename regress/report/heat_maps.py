"""Heat maps: RMSE by layer and pooling, and how a terminal shows them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.color import Color
from rich.style import Style
from rich.text import Text

from features.console.app import on_stdout
from features.console.html import front, shade
from features.selection import POOLER
from regress.evaluation.leaderboard import LeaderboardRow, Standing

if TYPE_CHECKING:
    from regress.evaluation.results import Results

#: Fewer cells are no map.
MIN_CELLS = 2

#: Part of the best RMSE by which the ends of the colours differ at least.
MIN_SPAN = 0.05

#: Poolings from left to right.
POOLINGS = ("cls", "mean", "max", POOLER)


@dataclass(frozen=True, eq=False)
class HeatMap:
    """One regressor on the single blocks of one bank.

    Attributes
    ----------
    model, bank
        Names.
    cells
        Standing of each (layer, pooling) against the best cell of this map. The pooler stands
        beside the last layer, which it is computed from.
    """

    model: str
    bank: str
    cells: dict[tuple[int, str], Standing]

    @property
    def layers(self) -> list[int]:
        """Layers, the last one first, as they stand in a drawing."""
        return sorted({layer for layer, _ in self.cells}, reverse=True)

    @property
    def poolings(self) -> list[str]:
        """Poolings from left to right."""
        found = {pooling for _, pooling in self.cells}
        return [name for name in POOLINGS if name in found] + sorted(found - {*POOLINGS})

    @property
    def limits(self) -> tuple[float, float]:
        """RMSE at either end of the colours.

        A cell that is far off, such as layer 0's constant cls, would leave the others one colour:
        the upper end is at most three times as far from the best as the median cell is. Cells that
        all but tie should look so: the ends are never closer than `MIN_SPAN` says.
        """
        values = sorted(cell.row.scores.rmse for cell in self.cells.values())
        best, median, worst = values[0], values[len(values) // 2], values[-1]
        upper = min(worst, best + 3 * (median - best)) if median > best else worst
        return best, max(upper, best * (1 + MIN_SPAN))

    def place(self, cell: Standing) -> float:
        """Place of a cell on the colours: from 0, bright, to 1, and beyond where it is far off."""
        low, high = self.limits
        return (cell.row.scores.rmse - low) / (high - low) if high > low else 0.0


def heat_maps(experiment: Results, target: str) -> list[HeatMap]:
    """A map for each regressor and bank with two single blocks or more, the fullest first."""
    last_layers = {name: bank.n_layers - 1 for name, bank in experiment.banks.by_name.items()}
    found: dict[tuple[str, str], dict[LeaderboardRow, tuple[int, str]]] = {}
    for row in experiment.rows(target):
        if row.single_block is not None:
            bank, block = row.single_block
            layer = last_layers[bank] if block.layer is None else block.layer
            found.setdefault((row.model, bank), {})[row] = (layer, block.pooling)
    maps = []
    for (model, bank), places in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        if len(places) >= MIN_CELLS:
            compared = experiment.standings(target, [*places])
            maps.append(HeatMap(model, bank, {places[cell.row]: cell for cell in compared}))
    return maps


def decimals(scale: float) -> int:
    """Decimal places that show three digits of a number of this size.

    >>> decimals(0.523), decimals(1.84), decimals(240.0)
    (3, 2, 0)
    """
    return 3 if scale <= 0 else max(0, 2 - math.floor(math.log10(scale)))


def show_heat_maps(experiment: Results) -> None:
    """Print a map for each target, regressor and bank that has single blocks."""
    targets = experiment.task.target_names
    for target in targets:
        prefix = f"{target}, " if len(targets) > 1 else ""
        for heat_map in heat_maps(experiment, target):
            on_stdout(Text("\n") + heat_map_text(heat_map, prefix))


def heat_map_text(heat_map: HeatMap, prefix: str = "") -> Text:
    """A heat map, the last layer on top."""
    places = decimals(heat_map.limits[0])
    cells = {
        place: f"{cell.row.scores.rmse:.{places}f} {cell.mark:1}"
        for place, cell in heat_map.cells.items()
    }
    widest = max(map(len, cells.values()))
    widths = {name: max(widest, len(name)) + 2 for name in heat_map.poolings}
    title = f"RMSE by layer and pooling: {prefix}{heat_map.model}, {heat_map.bank}\n"
    text = Text.assemble((title, "bold"))
    text.append("layer" + "".join(name.center(width) for name, width in widths.items()), "dim")
    for layer in heat_map.layers:
        text.append(f"\n{layer:5d}", "dim")
        for pooling, width in widths.items():
            cell = heat_map.cells.get((layer, pooling))
            shown = cells.get((layer, pooling), "").center(width)
            style = "" if cell is None else _colour(heat_map.place(cell))
            text.append(shown, style)
    legend = "bright is better; ★ best; = ties with it (1.96 paired standard errors)"
    text.append(f"\n{legend}", "dim")
    return text


def _colour(place: float) -> Style:
    """A background between bright, which is good, and dark."""
    return Style(color=front(place), bgcolor=Color.from_rgb(*shade(place)), bold=False)
