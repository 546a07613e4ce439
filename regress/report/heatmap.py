"""RMSE over layer and pooling, where a run scored blocks one at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from features.blocks import POOLER
from regress.metrics import Vector
from regress.report.comparison import Standing, standings
from regress.results import Result

#: Fewer cells are no map.
MIN_CELLS = 2
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
        the upper end is at most three times as far from the best as the median cell is.
        """
        values = sorted(cell.result.scores.rmse for cell in self.cells.values())
        best, median, worst = values[0], values[len(values) // 2], values[-1]
        return best, min(worst, best + 3 * (median - best)) if median > best else worst


def heat_maps(y: Vector, results: Sequence[Result], last_layers: dict[str, int]) -> list[HeatMap]:
    """A map for each regressor and bank with two single blocks or more.

    Parameters
    ----------
    y
        Shape (n_samples,), the target that all results are of.
    last_layers
        The last layer of each bank, by name.
    """
    found: dict[tuple[str, str], dict[tuple[int, str], Result]] = {}
    for result in results:
        if len(result.terms) != 1 or len(result.terms[0].blocks) != 1:
            continue
        [term] = result.terms
        [block] = term.blocks
        layer = last_layers[term.bank] if block.layer is None else block.layer
        found.setdefault((result.model, term.bank), {})[layer, block.pooling] = result
    maps = []
    for (model, bank), cells in sorted(found.items()):
        if len(cells) >= MIN_CELLS:
            of_result = {standing.result: standing for standing in standings(y, [*cells.values()])}
            maps.append(HeatMap(model, bank, {at: of_result[one] for at, one in cells.items()}))
    return maps


def decimals(scale: float) -> int:
    """Decimal places that show three digits of a number of this size.

    >>> decimals(0.523), decimals(1.84), decimals(240.0)
    (3, 2, 0)
    """
    return 3 if scale <= 0 else max(0, 2 - math.floor(math.log10(scale)))
