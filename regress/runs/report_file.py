"""``report.json``: what a run's report shows and its other files lack.

It is written before the run stands under its name, and reports are drawn from it. A figure is
never in it, only its numbers and words: nothing of a stranger's run is code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np

from features.disk.schema import EACH, refuse_other
from regress.evaluation.leaderboard import LeaderboardRow, Standing, Verdict
from regress.evaluation.metrics import Difference, Scores
from regress.report.contents import Contents, Quote
from regress.report.heat_maps import HeatMap
from regress.report.learning import LearningCurve, Point
from regress.report.shares import Share
from regress.runs.format import plain

FORMAT, VERSION = "layerbank report", 1

#: Whole numbers of more digits are none that a run could have counted.
_MOST_DIGITS = 15

_NUMBER = (int, float)
_PERHAPS = (int, float, type(None))

_STANDING: Mapping[str, Any] = {
    "kind": str,
    "model": str,
    "select": str,
    "n_columns": int,
    "scores": {"rmse": _NUMBER, "se": _NUMBER, "mae": _NUMBER, "r2": _PERHAPS,
               "pearson": _PERHAPS, "spearman": _PERHAPS},
    "naive_rmse": _PERHAPS,
    "fold_rmse": [_NUMBER],
    "params": {EACH: _PERHAPS},
    "seconds": _PERHAPS,
    "name": str,
    "behind": {"value": _NUMBER, "se": _NUMBER},
    "verdict": str,
}  # fmt: skip

_SHARE: Mapping[str, Any] = {"name": str, "n_texts": int, "rmse": _NUMBER, "se": _NUMBER}

#: What a report.json must hold, as `regress.runs.format.SHAPE` says it.
SHAPE: Mapping[str, Any] = {
    "notes": [str],
    "targets": [
        {
            "target": str,
            "id_name": str,
            "y": [_NUMBER],
            "predicted": [_NUMBER],
            "lengths": [int],
            "length_name": str,
            "standings": [_STANDING],
            "headline": int,
            "baseline?": _STANDING,
            "heat_maps": [
                {
                    "model": str,
                    "bank": str,
                    "cells": [{"layer": int, "pooling": str, "standing": _STANDING}],
                }
            ],
            "groups": [_SHARE],
            "grouped": bool,
            "drawn": [int],
            "marks": {"id": [str], "fold": [int], "text": [str]},
            "worst": [int],
            "quotes": [{"id": str, "beginning": str, "text": str, "cut": bool}],
            "by": {EACH: [_SHARE]},
            "weights": [[(str, int, float)]],
        }
    ],
}

_CURVE: Mapping[str, Any] = {
    "select": str,
    "points": [{"n_texts": int, "rmse": _NUMBER, "se": _NUMBER}],
}


def write_contents(contents: Sequence[Contents], notes: Sequence[str], path: Path) -> None:
    """Write what a report shows, and what has to be said beside its scores."""
    described = {
        "format": FORMAT,
        "version": VERSION,
        "notes": list(notes),
        "targets": [_described(of_target) for of_target in contents],
    }
    path.write_text(json.dumps(plain(described), ensure_ascii=True), encoding="utf-8")


def read_contents(content: bytes) -> tuple[list[Contents], list[str]]:
    """What `write_contents` wrote.

    Raises
    ------
    ValueError
        It is something else.
    """
    try:
        described = json.loads(content, parse_int=_whole, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    refuse_other(described, {"format": str, "version": int}, "")
    if (described["format"], described["version"]) != (FORMAT, VERSION):
        raise ValueError(f"it is of version {described['version']}, not {VERSION}")
    refuse_other(described, SHAPE, "")
    return [_read(of_target) for of_target in described["targets"]], described["notes"]


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def _no_number(name: str) -> float:
    raise ValueError(f"it holds {name}")


def _described(contents: Contents) -> dict[str, Any]:
    places = [id(standing) for standing in contents.standings]
    return {
        "target": contents.target,
        "id_name": contents.id_name,
        "y": contents.y.tolist(),
        "predicted": contents.predicted.tolist(),
        "lengths": contents.lengths.tolist(),
        "length_name": contents.length_name,
        "standings": [_standing(standing) for standing in contents.standings],
        "headline": places.index(id(contents.headline)),
        "baseline": None if contents.baseline is None else _standing(contents.baseline),
        "heat_maps": [
            {
                "model": each.model,
                "bank": each.bank,
                "cells": [
                    {"layer": layer, "pooling": pooling, "standing": _standing(cell)}
                    for (layer, pooling), cell in each.cells.items()
                ],
            }
            for each in contents.heat_maps
        ],
        "groups": [asdict(share) for share in contents.groups],
        "grouped": contents.grouped,
        "curve": None if contents.curve is None else asdict(contents.curve),
        "drawn": contents.drawn.tolist(),
        "marks": contents.marks,
        "worst": contents.worst.tolist(),
        "quotes": [asdict(quote) for quote in contents.quotes],
        "by": {name: [asdict(share) for share in shares] for name, shares in contents.by.items()},
        "weights": contents.weights,
    }


def _standing(standing: Standing) -> dict[str, Any]:
    row = standing.row
    return {
        **{name: getattr(row, name) for name in ("kind", "model", "select", "n_columns", "name")},
        "scores": asdict(row.scores),
        "naive_rmse": row.naive_rmse,
        "fold_rmse": list(row.fold_rmse),
        "params": row.params,
        "seconds": row.seconds,
        "behind": standing.behind._asdict(),
        "verdict": standing.verdict,
    }


def _read(given: Mapping[str, Any]) -> Contents:
    n, n_drawn, n_worst = len(given["y"]), len(given["drawn"]), len(given["worst"])
    marks = given["marks"]
    if given["grouped"]:
        refuse_other(marks, {"group": [str]}, "marks")
    curve = given.get("curve")
    if curve is not None:
        refuse_other(curve, _CURVE, "curve")
    baseline = given.get("baseline")
    standings = [_read_standing(each) for each in given["standings"]]
    lengths = {name: len(given[name]) for name in ("predicted", "lengths")}
    if not n or {*lengths.values()} != {n} or n_worst != len(given["quotes"]):
        raise ValueError("its columns differ in length")
    if any(len(cells) != n_drawn for cells in marks.values()):
        raise ValueError("its marks differ in length")
    if not all(0 <= row < n for row in (*given["drawn"], *given["worst"])):
        raise ValueError("it names rows that it has not")
    if not 0 <= given["headline"] < len(standings):
        raise ValueError("its headline is none of its standings")
    if not all(len(pair) == 2 and isinstance(pair[0], str) for pair in given["weights"]):
        raise ValueError("its weights are no names with numbers")
    y, predicted = (np.array(given[name], np.float64) for name in ("y", "predicted"))
    if not (np.isfinite(y).all() and np.isfinite(predicted).all()):
        raise ValueError("it holds more than finite numbers")
    return Contents(
        target=given["target"],
        id_name=given["id_name"],
        y=y,
        predicted=predicted,
        lengths=np.array(given["lengths"], np.int64),
        length_name=given["length_name"],
        standings=standings,
        headline=standings[given["headline"]],
        baseline=None if baseline is None else _read_standing(baseline),
        heat_maps=[_read_map(each) for each in given["heat_maps"]],
        groups=_read_shares(given["groups"]),
        grouped=given["grouped"],
        curve=None
        if curve is None
        else LearningCurve(curve["select"], [Point(**_only(Point, p)) for p in curve["points"]]),
        drawn=np.array(given["drawn"], np.int64),
        marks={name: marks[name] for name in ("id", "fold", "text", "group") if name in marks},
        worst=np.array(given["worst"], np.int64),
        quotes=[Quote(**_only(Quote, quote)) for quote in given["quotes"]],
        by={name: _read_shares(shares) for name, shares in given["by"].items()},
        weights=[(name, float(weight)) for name, weight in given["weights"]],
    )


def _read_map(given: Mapping[str, Any]) -> HeatMap:
    cells = {
        (cell["layer"], cell["pooling"]): _read_standing(cell["standing"])
        for cell in given["cells"]
    }
    if not cells:
        raise ValueError("a heat map has no cells")
    return HeatMap(given["model"], given["bank"], cells)


def _read_standing(given: Mapping[str, Any]) -> Standing:
    verdict: Verdict = given["verdict"]
    if verdict not in get_args(Verdict):
        raise ValueError(f"there is no verdict {verdict!r}")
    row = LeaderboardRow(
        kind=given["kind"], model=given["model"], select=given["select"], terms=(),
        n_columns=given["n_columns"],
        scores=Scores(**{name: _number(given["scores"][name]) for name in _fields(Scores)}),
        naive_rmse=_number(given["naive_rmse"]), fold_rmse=given["fold_rmse"],
        predictions=np.empty(0), params=given["params"], seconds=given["seconds"],
        name=given["name"],
    )  # fmt: skip
    return Standing(row, Difference(given["behind"]["value"], given["behind"]["se"]), verdict)


def _read_shares(given: Sequence[Mapping[str, Any]]) -> list[Share]:
    return [Share(**_only(Share, share)) for share in given]


def _fields(kind: type) -> list[str]:
    return [*kind.__dataclass_fields__]  # type: ignore[attr-defined]


def _only(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a class takes, of what is given."""
    return {name: given[name] for name in _fields(kind)}


def _number(value: float | None) -> float:
    """A number, where null stands for none."""
    return math.nan if value is None else float(value)
