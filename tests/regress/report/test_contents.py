"""What a report shows: heat maps, learning curves, and which texts are drawn."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from features.console.html import shade
from features.console.show import beginning
from regress import Experiment, evaluate
from regress.report.charts import heat_map_figure
from regress.report.contents import all_contents
from regress.report.heat_maps import heat_map_text, heat_maps
from regress.report.learning import learning_curve
from regress.report.notebook import experiment_html
from tests.regress.conftest import MadeUpTask

MakeTask = Callable[..., MadeUpTask]


def test_heat_maps_hold_single_blocks_alone(experiment: Experiment) -> None:
    ridge, svr = all_contents(experiment)[0].heat_maps
    assert (ridge.model, svr.model) == ("ridge", "svr")
    assert set(ridge.cells) == {(i, p) for i in range(3) for p in ("cls", "mean", "max")}
    assert ridge.layers == [2, 1, 0]
    for (layer, pooling), cell in ridge.cells.items():
        assert cell.row.select == f"{pooling}[{layer}]"
    assert [cell.verdict for cell in ridge.cells.values()].count("best") == 1


def test_cells_that_tie_have_nearly_one_colour(experiment: Experiment) -> None:
    ridge = all_contents(experiment)[0].heat_maps[0]
    cell = next(iter(ridge.cells.values()))
    rmse = cell.row.scores.rmse
    low, high = replace(ridge, cells={(1, "mean"): cell, (2, "mean"): cell}).limits
    assert (low, high) == (rmse, pytest.approx(1.05 * rmse))


def test_every_heat_map_is_drawn_in_one_way(experiment: Experiment) -> None:
    """The last layer on top, poolings side by side, and bright for a low error."""
    ridge = all_contents(experiment)[0].heat_maps[0]
    spec = heat_map_figure(ridge, False).chart.to_dict()
    drawn = spec["layer"][0]["encoding"]
    assert drawn["y"]["sort"] == [2, 1, 0]
    assert drawn["x"]["sort"] == ["cls", "mean", "max"]
    assert drawn["color"]["scale"]["scheme"] == "viridis"
    assert drawn["color"]["scale"]["reverse"]
    lines = heat_map_text(ridge).plain.splitlines()
    assert lines[1].split() == ["layer", "cls", "mean", "max"]
    assert [line.split()[0] for line in lines[2:5]] == ["2", "1", "0"]
    shown = experiment_html(experiment)
    shown = shown[shown.index("RMSE by layer and pooling, ridge") :]
    layers = re.findall('scope="row"[^>]*>([0-9]+)<', shown)[:3]
    assert layers == ["2", "1", "0"]
    assert re.findall('scope="col"[^>]*>([a-z]+)<', shown)[:3] == ["cls", "mean", "max"]
    best = min(ridge.cells.values(), key=lambda cell: cell.row.scores.rmse)
    worst = max(ridge.cells.values(), key=lambda cell: cell.row.scores.rmse)
    # Viridis is yellow at its bright end, which is Vega's low end where the scale is reversed.
    assert sum(shade(ridge.place(best))) > sum(shade(ridge.place(worst)))
    assert shade(ridge.place(best)) == (253, 231, 37)


@pytest.mark.parametrize("n_layers", [2, 3, 25])
def test_a_heat_map_has_room_for_its_numbers(experiment: Experiment, n_layers: int) -> None:
    ridge = all_contents(experiment)[0].heat_maps[0]
    cell = next(iter(ridge.cells.values()))
    figure = heat_map_figure(
        replace(ridge, cells={(layer, "mean"): cell for layer in range(n_layers)}), False
    )
    height = figure.chart.to_dict()["height"]
    assert 24 <= height / n_layers <= 40
    assert figure.width >= 200


@pytest.mark.parametrize("pooling", ["mean", "mean_no_special"])
def test_a_heat_map_fits_80_columns(experiment: Experiment, pooling: str) -> None:
    ridge = all_contents(experiment)[0].heat_maps[0]
    cell = next(iter(ridge.cells.values()))
    names = ["cls", "mean", "max", "min", "last", "std", pooling]
    cells = {(layer, name): cell for layer in range(13) for name in names}
    lines = heat_map_text(replace(ridge, cells=cells)).plain.splitlines()
    assert max(map(len, lines)) <= 80


def test_the_fullest_heat_map_comes_first(experiment: Experiment) -> None:
    several = [
        result
        for result in experiment.results
        if result.model == "svr" or result.select in ("mean[0]", "mean[1]")
    ]
    maps = heat_maps(replace(experiment, results=several), "target")
    assert [(one.model, len(one.cells)) for one in maps] == [("svr", 9), ("ridge", 2)]


def test_a_learning_curve_ends_where_the_run_is(experiment: Experiment) -> None:
    ridge = next(row for row in experiment.rows("target") if row.model == "ridge")
    curve = learning_curve(experiment, "target", ridge)
    assert curve is not None
    sizes = [point.n_texts for point in curve.points]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == 72
    assert curve.points[-1].rmse == ridge.scores.rmse
    assert curve.points[0].rmse > ridge.scores.rmse


def test_a_learning_curve_is_weighted(make_task: MakeTask) -> None:
    bank, texts, y = make_task(120)
    signal = np.arange(120) % 2 == 0
    noisy = np.where(signal, y, np.random.default_rng(0).permutation(y))
    weights = np.where(signal, 1.0, 1e-6)
    experiment = evaluate(bank, texts, noisy, select="mean[-1]", sample_weight=weights)
    curve = learning_curve(experiment, "target", experiment.rows("target")[0])
    assert curve is not None
    *_, before, last = curve.points
    assert last.rmse == experiment.best.scores.rmse
    assert before.rmse < 1.15 * last.rmse


def test_many_texts_are_sampled_and_the_worst_stay(experiment: Experiment) -> None:
    contents = all_contents(experiment, max_points=30)[0]
    assert len(contents.drawn) == 30
    assert set(contents.worst) <= set(contents.drawn)


def test_beginnings_of_texts() -> None:
    assert beginning("a\n b\t c") == "a b c"
    assert beginning(("one", "two")) == "one two"
    assert len(beginning("word " * 1000)) <= 140
    assert beginning("word " * 1000).endswith("…")
