"""The leaderboard and the heat maps in a terminal: coloured there, plain text on a pipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.color import Color
from rich.style import Style
from rich.text import Text

from features.console.app import _console
from features.console.html import front, shade
from features.selection import POOLER
from regress.evaluation.lines import Entry, Standing, Verdict
from regress.evaluation.results import Results, _compare, entries

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
        values = sorted(cell.entry.scores.rmse for cell in self.cells.values())
        best, median, worst = values[0], values[len(values) // 2], values[-1]
        upper = min(worst, best + 3 * (median - best)) if median > best else worst
        return best, max(upper, best * (1 + MIN_SPAN))


def heat_maps(
    entries: Sequence[Entry],
    last_layers: Mapping[str, int],
    compare: Callable[[Sequence[Entry]], list[Standing]],
) -> list[HeatMap]:
    """A map for each regressor and bank with two single blocks or more, the fullest first.

    Parameters
    ----------
    entries
        Of one target.
    last_layers
        The last layer of each bank, by name.
    compare
        Ranks entries; see `regress.report.comparison.standings`.
    """
    found: dict[tuple[str, str], dict[Entry, tuple[int, str]]] = {}
    for entry in entries:
        if entry.bank_block is not None:
            bank, block = entry.bank_block
            layer = last_layers[bank] if block.layer is None else block.layer
            found.setdefault((entry.model, bank), {})[entry] = (layer, block.pooling)
    maps = []
    for (model, bank), places in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        if len(places) >= MIN_CELLS:
            compared = compare([*places])
            maps.append(HeatMap(model, bank, {places[one.entry]: one for one in compared}))
    return maps


def decimals(scale: float) -> int:
    """Decimal places that show three digits of a number of this size.

    >>> decimals(0.523), decimals(1.84), decimals(240.0)
    (3, 2, 0)
    """
    return 3 if scale <= 0 else max(0, 2 - math.floor(math.log10(scale)))


MARKS: dict[Verdict, str] = {"best": " ★", "tie": " =", "worse": "  "}


def show_heat_maps(experiment: Results) -> None:
    """Print a map for each target, regressor and bank that has single blocks."""
    task, console = experiment.task, _console()
    last_layers = {name: bank.n_layers - 1 for name, bank in experiment.banks.by_name.items()}
    for target in task.target_names:
        of_target = f"{target}, " if len(task.target_names) > 1 else ""
        compare = _compare(experiment, target)
        for heat_map in heat_maps(entries(experiment, target), last_layers, compare):
            console.print()
            console.print(drawn(heat_map, of_target))


def drawn(heat_map: HeatMap, of_target: str = "") -> Text:
    """A heat map, the last layer on top."""
    low, high = heat_map.limits
    places = decimals(low)
    cells = {
        at: f"{cell.entry.scores.rmse:.{places}f}{MARKS[cell.verdict]}"
        for at, cell in heat_map.cells.items()
    }
    width = max(map(len, [*cells.values(), *heat_map.poolings])) + 2
    text = Text(
        f"RMSE by layer and pooling: {of_target}{heat_map.model}, {heat_map.bank}\n", "bold"
    )
    text.append("layer" + "".join(name.center(width) for name in heat_map.poolings), "dim")
    for layer in heat_map.layers:
        text.append(f"\n{layer:5d}", "dim")
        for pooling in heat_map.poolings:
            cell = heat_map.cells.get((layer, pooling))
            shown = cells.get((layer, pooling), "").center(width)
            style = "" if cell is None else _colour(cell.entry.scores.rmse, low, high)
            text.append(shown, style)
    text.append("\n★ best of this map; = ties with it (1.96 paired standard errors)", "dim")
    return text


def _colour(value: float, low: float, high: float) -> Style:
    """A background between bright, which is good, and dark."""
    at = 0.0 if high <= low else (value - low) / (high - low)
    return Style(color=front(at), bgcolor=Color.from_rgb(*shade(at)), bold=False)
