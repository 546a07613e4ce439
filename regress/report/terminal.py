"""The leaderboard and the heat maps in a terminal: coloured there, plain text on a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from features.html import front, shade
from regress.leaderboard import text_table
from regress.leaders import KINDS, SHOWN, Leader, leaderboard_text
from regress.report.comparison import Standing, Verdict, standings
from regress.report.entries import Entry, entries
from regress.report.heatmap import HeatMap, decimals, heat_maps
from regress.results import Experiment
from regress.sweep import drawn_together

MARKS: dict[Verdict, str] = {"best": " ★", "tie": " =", "worse": "  "}


def show_results(experiment: Experiment, *, quiet: bool = False) -> None:
    """Print the table of results on stdout and, unless quiet, the heat maps.

    Colours are left out where stdout is no terminal, or the variable ``NO_COLOR`` is set.
    """
    _console().print(leaderboard(experiment))
    if not quiet:
        show_heat_maps(experiment)


def on_stdout(text: Text) -> None:
    """Print a text on stdout, coloured where that is a terminal and ``NO_COLOR`` is not set."""
    _console().print(text)


def show_heat_maps(experiment: Experiment) -> None:
    """Print a map for each target, regressor and bank that has single blocks."""
    design, console = experiment.design, _console()
    last_layers = {name: bank.n_layers - 1 for name, bank in experiment.banks.by_name.items()}
    for target in design.target_names:
        of_target = f"{target}, " if len(design.target_names) > 1 else ""
        compare = _compare(experiment, target)
        for heat_map in heat_maps(entries(experiment, target), last_layers, compare):
            console.print()
            console.print(drawn(heat_map, of_target))


def leaderboard(experiment: Experiment) -> Text:
    """The table of results with the best in bold, and what ties with it in the same green."""
    verdicts = {
        (target, one.entry.model, one.entry.select): one.verdict
        for target in experiment.design.target_names
        for one in _compare(experiment, target)(entries(experiment, target))
    }
    styles: dict[Verdict, str] = {"best": "bold green", "tie": "green", "worse": ""}
    lines = text_table(experiment).splitlines()
    first = len(lines) - len(experiment.results)
    text = Text()
    for number, line in enumerate(lines):
        style = "bold" if number == first - 1 else "dim"
        if number >= first:
            one = experiment.results[number - first]
            style = styles[verdicts[one.target, one.model, one.select]]
        text.append(line, style).append("\n" if number + 1 < len(lines) else "")
    return text


def leaders_text(leaders: Sequence[Leader]) -> Text:
    """A sweep's leaderboard, coloured as `leaderboard` is; procedures, which search, in italics."""
    lines = leaderboard_text(leaders).splitlines()
    kept = [one for at, one in enumerate(leaders) if at < SHOWN or one.kind not in KINDS]
    text = Text()
    for number, line in enumerate(lines):
        style = "bold" if number == 0 else "dim"
        if 0 < number <= len(kept):
            difference = kept[number - 1].difference
            style = "bold green" if difference.behind == 0 else "green" * difference.ties
            style += " italic" * (kept[number - 1].kind not in KINDS)
        text.append(line, style.strip()).append("\n" if number + 1 < len(lines) else "")
    return text


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


def _compare(experiment: Experiment, target: str) -> Callable[[Sequence[Entry]], list[Standing]]:
    design = experiment.design
    y = design.Y[:, design.target_names.index(target)]
    return partial(standings, y, units=drawn_together(design), weights=design.weights)


def _console() -> Console:
    return Console(file=sys.stdout, highlight=False, soft_wrap=True)
