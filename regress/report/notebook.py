"""How experiments and sweeps show themselves in a notebook."""

from __future__ import annotations

from features.console import html
from regress.evaluation.leaderboard import Standing
from regress.evaluation.notes import notes
from regress.evaluation.results import Results
from regress.report.heat_maps import HeatMap, decimals, heat_maps
from regress.report.tables import share

#: Rows of a leaderboard.
MAX_ROWS = 15

_WORDS = frozenset({"result"})


def experiment_html(experiment: Results) -> str:
    """The leaderboard of each target, and a heat map of each regressor with single blocks."""
    folds = experiment.folds
    parts = [
        html.note(
            f"{len(folds)} texts, {folds.n_folds} {folds.scheme} folds (hash {folds.short}). "
            "Nested scores: each fold is predicted by a model chosen and fitted without it. "
            "★ best, = ties with it (1.96 paired standard errors)."
        ),
        *map(html.note, notes(experiment)),
    ]
    header = ["RMSE", "± se", "R²", "result"]
    for target in experiment.task.target_names:
        ranked = experiment.standings(target)
        places = decimals(ranked[0].row.scores.rmse) + 1
        shown = [*ranked[:MAX_ROWS], experiment.baseline(target)]
        rows = [_cells(standing, places) for standing in shown]
        parts.append(html.heading(target))
        parts.append(html.table(header, rows, left=_WORDS, strong=frozenset({0})))
        if len(ranked) > MAX_ROWS:
            parts.append(html.note(f"and {len(ranked) - MAX_ROWS} more"))
        parts += [_map(heat_map, target) for heat_map in heat_maps(experiment, target)]
    return html.box(*parts)


def _cells(standing: Standing, places: int) -> list[str]:
    row = standing.row
    scores = row.scores
    return [_marked(standing, places), f"{scores.se:.{places}f}", share(scores.r2), row.label]


def _marked(standing: Standing, places: int) -> str:
    return f"{standing.row.scores.rmse:.{places}f} {standing.mark}".rstrip()


def _map(heat_map: HeatMap, target: str) -> str:
    places = decimals(heat_map.limits[0])
    rows = []
    for layer in heat_map.layers:
        of_layer = [heat_map.cells.get((layer, pooling)) for pooling in heat_map.poolings]
        shown = [
            None if cell is None else (_marked(cell, places), heat_map.place(cell))
            for cell in of_layer
        ]
        rows.append((str(layer), shown))
    name = f"{target}: RMSE by layer and pooling, {heat_map.model}, {heat_map.bank}"
    return html.heading(name) + html.heat_map(heat_map.poolings, rows)
