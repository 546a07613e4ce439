"""RMSE over layer and pooling, where a run scored blocks one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from features.blocks import POOLER
from regress.report.comparison import Standing
from regress.report.entries import Entry

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
