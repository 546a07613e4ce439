"""How experiments, sweeps and runs show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from features.console import html
from regress.evaluation.lines import standings
from regress.evaluation.results import Results, entries
from regress.report.heat_maps import MARKS, HeatMap, decimals, heat_maps

#: Lines of a leaderboard.
MAX_LINES = 15


_WORDS = frozenset({"selection", "model", "chosen"})


def experiment_html(experiment: Results) -> str:
    """The leaderboard of each target, and a heat map of each regressor with single blocks."""
    task, folds = experiment.task, experiment.folds
    last_layers = {name: bank.n_layers - 1 for name, bank in experiment.banks.by_name.items()}
    parts = [
        html.note(
            f"{len(folds)} texts, {folds.n_folds} {folds.scheme} folds (hash {folds.short}). "
            "Nested scores: each fold is predicted by a model chosen and fitted without it. "
            "★ best, = ties with it (1.96 paired standard errors)."
        )
    ]
    for number, target in enumerate(task.target_names):
        compare = partial(
            standings, task.Y[:, number], units=task.drawn_together, weights=task.weights
        )
        found = entries(experiment, target)
        ranked = compare(found)
        places = decimals(ranked[0].entry.scores.rmse) + 1
        rows = [
            [
                one.entry.select if one.entry.kind in ("result", "block", "combination")
                else f"{one.entry.kind}: {one.entry.select}",
                one.entry.model,
                f"{one.entry.scores.rmse:.{places}f}{MARKS[one.verdict].rstrip()}",
                f"{one.entry.scores.se:.{places}f}",
                f"{one.entry.scores.r2:.4f}",
                f"{one.entry.naive_rmse:.{places}f}",
                chosen(one.entry.params),
            ]
            for one in ranked[:MAX_LINES]
        ]  # fmt: skip
        header = ["selection", "model", "RMSE", "± se", "R²", "naive RMSE", "chosen"]
        parts.append(html.heading(target))
        parts.append(html.table(header, rows, left=_WORDS, strong=frozenset({0})))
        if len(ranked) > MAX_LINES:
            parts.append(html.note(f"and {len(ranked) - MAX_LINES} more"))
        parts += [_map(one, target) for one in heat_maps(found, last_layers, compare)]
    return html.box(*parts)


def chosen(params: Mapping[str, Any]) -> str:
    """A setting in a few words."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, (int, float)) else f"{name} {value}"
        for name, value in params.items()
    )


def _map(heat_map: HeatMap, target: str) -> str:
    low, high = heat_map.limits
    places = decimals(low)
    rows = []
    for layer in heat_map.layers:
        cells: list[tuple[str, float] | None] = []
        for pooling in heat_map.poolings:
            cell = heat_map.cells.get((layer, pooling))
            if cell is None:
                cells.append(None)
                continue
            rmse = cell.entry.scores.rmse
            shown = f"{rmse:.{places}f}{MARKS[cell.verdict].rstrip()}"
            cells.append((shown, (rmse - low) / (high - low) if high > low else 0.0))
        rows.append((str(layer), cells))
    name = f"{target}: RMSE by layer and pooling, {heat_map.model}, {heat_map.bank}"
    return html.heading(name) + html.heat_map(heat_map.poolings, rows)
