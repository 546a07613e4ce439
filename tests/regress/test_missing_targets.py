"""Rows without some target: each target is as it would be on its own rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from features.errors import InputError, MissingTexts, RunError
from regress import (
    TunedKernelRidge,
    TunedLightGBM,
    TunedSVR,
    evaluate,
    load_run,
)
from regress.blend import blend, save_blend
from regress.evaluation.notes import notes
from regress.evaluation.results import Results
from regress.report.contents import all_contents
from regress.runs.recorded import recorded_results
from regress.sweep import sweep
from tests.regress.conftest import MadeUpTask

MakeTask = Callable[..., MadeUpTask]
NAMES = ["all", "some", "same", "others"]
EXACT = {"rtol": 1e-10, "atol": 1e-10}


class Gaps(NamedTuple):
    """Four targets of which the first is everywhere, and two are on the same rows."""

    task: MadeUpTask
    Y: np.ndarray
    weights: np.ndarray

    def alone(self, name: str, rows: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Texts and values of one target on its own rows."""
        return [self.task.texts[row] for row in rows], self.Y[rows, NAMES.index(name)]


@pytest.fixture
def gaps(make_task: MakeTask) -> Gaps:
    task = make_task(80)
    rng = np.random.default_rng(1)
    y = task.y
    Y = np.stack([y, 1000 * y**2, -y + rng.standard_normal(80), y + 5], axis=1)
    some, others = rng.random(80) < 0.4, rng.random(80) < 0.3
    Y[some, 1] = Y[some, 2] = np.nan
    Y[others, 3] = np.nan
    return Gaps(task, Y, rng.uniform(0.5, 3, 80))


def assert_alike(found: Results, number: int, expected: Results, rows: np.ndarray) -> None:
    """Results of one target in `found`, on its own rows, are those of `expected`."""
    ours = [each for each in found.results if each.target == NAMES[number]]
    assert len(ours) == len(expected.results)
    for one, two in zip(ours, expected.results, strict=True):
        assert (one.model, one.select, one.params) == (two.model, two.select, two.params)
        assert one.fold_params == two.fold_params
        np.testing.assert_allclose(one.predictions[rows], two.predictions, **EXACT)
        assert np.isnan(np.delete(one.predictions, rows)).all()
        for name, value in vars(two.scores).items():
            assert getattr(one.scores, name) == pytest.approx(value, rel=1e-10), name
        np.testing.assert_allclose(one.fold_rmse, two.fold_rmse, rtol=1e-10)
        assert one.naive_rmse == pytest.approx(two.naive_rmse, rel=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
def test_each_target_is_as_it_would_be_alone(gaps: Gaps, weighted: bool) -> None:
    # Where libsvm stops turns on the last bit of the weights, which are scaled once more.
    kernel = TunedKernelRidge([0.5], [0.01, 0.3]) if weighted else TunedSVR([0.5], [1.0], [0.1])
    models: list[Any] = ["ridge", kernel, TunedLightGBM(20, 10)]
    select = ["mean[-1]", "*[:]"]
    options: dict[str, Any] = {"models": models, "select": select}
    found = evaluate(
        gaps.task.bank, gaps.task.texts, gaps.Y, target_names=NAMES, skip_missing=True,
        sample_weight=gaps.weights if weighted else None, **options,
    )  # fmt: skip
    assert [result.target for result in found.results] == [
        name for name in NAMES for _ in range(len(select) * len(models))
    ]
    assert notes(found)[:2] == [
        f"{name} is fitted and scored on the {n} of 80 rows that have it"
        for name, n in zip(NAMES[1:3], (~np.isnan(gaps.Y[:, 1:3])).sum(axis=0), strict=True)
    ]
    for number, name in enumerate(NAMES):
        rows = np.flatnonzero(~np.isnan(gaps.Y[:, number]))
        expected = evaluate(
            gaps.task.bank, *gaps.alone(name, rows), folds=found.folds.numbers[rows],
            sample_weight=gaps.weights[rows] if weighted else None, **options,
        )  # fmt: skip
        assert_alike(found, number, expected, rows)
        pairs = zip(found.standings(name), expected.standings("target"), strict=True)
        for ours, alone in pairs:
            assert ours.behind.se == pytest.approx(alone.behind.se, rel=1e-9)
            assert ours.verdict == alone.verdict


def test_a_sweep_searches_each_target_as_if_alone(gaps: Gaps, tmp_path: Path) -> None:
    options: dict[str, Any] = {"models": ["ridge", TunedSVR([0.5], [1.0], [0.1])], "n_best": 1}
    found = sweep(
        gaps.task.bank, gaps.task.texts, gaps.Y[:, [0, 1]], target_names=NAMES[:2],
        skip_missing=True, cache=tmp_path / "parts", **options,
    )  # fmt: skip
    rows = np.flatnonzero(~np.isnan(gaps.Y[:, 1]))
    texts, y = gaps.alone("some", rows)
    expected = sweep(gaps.task.bank, texts, y, folds=found.folds.numbers[rows], **options)
    assert_alike(found, 1, expected, rows)
    ours, alone = found.leaderboard, expected.leaderboard
    ours = ours[ours["target"] == "some"].drop(columns="target").reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, alone, rtol=1e-9)
    inner = next(result for result in found.results if result.target == "some").inner[0]
    np.testing.assert_allclose(inner[:, rows], expected.results[0].inner[0], **EXACT)
    # What is finished is kept for each set of rows by itself.
    again = sweep(
        gaps.task.bank, gaps.task.texts, gaps.Y[:, [0, 1]], target_names=NAMES[:2],
        skip_missing=True, cache=tmp_path / "parts", **options,
    )  # fmt: skip
    np.testing.assert_array_equal(again.leaderboard["rmse"], found.leaderboard["rmse"])


def test_targets_of_the_same_rows_share_their_work(
    gaps: Gaps, monkeypatch: pytest.MonkeyPatch
) -> None:
    import regress.evaluation.nested as nested

    shapes = []

    class Counted(nested.FoldData):
        def __init__(self, X: Any, Y: Any, *args: Any, **options: Any) -> None:
            shapes.append(Y.shape)
            super().__init__(X, Y, *args, **options)

    monkeypatch.setattr(nested, "FoldData", Counted)
    evaluate(gaps.task.bank, gaps.task.texts, gaps.Y, target_names=NAMES, skip_missing=True)
    n_some, n_others = (~np.isnan(gaps.Y[:, [1, 3]])).sum(axis=0)
    assert shapes == [(80, 1), (n_some, 2), (n_others, 1)]


@pytest.mark.parametrize("score", [evaluate, sweep])
def test_rows_without_any_target_are_as_if_not_there(
    make_task: MakeTask, score: Callable[..., Any]
) -> None:
    task = make_task(50)
    y = task.y.copy()
    y[[3, 7, 20]] = np.nan
    texts: list[Any] = list(task.texts)
    texts[7] = "in no bank"
    groups: list[Any] = [f"g{i % 11}" for i in range(50)]
    groups[20] = None
    weights = np.ones(50)
    weights[3] = np.nan
    options: dict[str, Any] = {"models": "ridge", "folds": "group", "cv": 3}
    found = score(
        task.bank, texts, y, groups=groups, sample_weight=weights, skip_missing=True, **options
    )
    kept = np.delete(np.arange(50), [3, 7, 20])
    plain = score(
        task.bank, [texts[i] for i in kept], y[kept], groups=[groups[i] for i in kept],
        sample_weight=np.ones(47), **options,
    )  # fmt: skip
    assert found.folds.digest == plain.folds.digest
    np.testing.assert_allclose(found.best.predictions, plain.best.predictions, **EXACT)
    assert found.oof["row"].tolist() == [i + 1 for i in kept]
    assert "3 of 50 rows are left out: they have no target" in notes(found)


@pytest.mark.parametrize("scheme", ["stratified", "plain"])
def test_folds_are_dealt_over_all_rows(gaps: Gaps, scheme: str) -> None:
    Y = gaps.Y.copy()
    Y[:40, 0] = np.nan
    Y[np.isnan(Y).all(axis=1), 3] = 1.0
    found = evaluate(
        gaps.task.bank, gaps.task.texts, Y, target_names=NAMES, skip_missing=True, folds=scheme,
        random_state=[0, 1],
    )  # fmt: skip
    for split in (found.folds, *found.repeats):
        assert np.bincount(split.numbers).tolist() == [16] * 5
        if scheme == "stratified":
            counts = np.bincount(split.numbers[40:], minlength=5)
            assert counts.max() - counts.min() <= 1
            means = [np.nanmean(Y[split.numbers == fold, 0]) for fold in range(5)]
            assert np.ptp(means) < np.nanstd(Y[:, 0])
    other = next(result for result in found.results if result.target == "some")
    rows = np.flatnonzero(~np.isnan(Y[:, 1]))
    [second] = other.repeats
    expected = evaluate(
        gaps.task.bank, *gaps.alone("some", rows), folds=found.repeats[0].numbers[rows]
    )
    np.testing.assert_allclose(second.predictions[rows], expected.best.predictions, **EXACT)


def test_a_saved_run_has_empty_cells_and_is_whole(gaps: Gaps, tmp_path: Path) -> None:
    names = NAMES[:2]
    found = evaluate(
        gaps.task.bank, gaps.task.texts, gaps.Y[:, :2], target_names=names, skip_missing=True,
        sample_weight=gaps.weights, models=["ridge", "krr"], random_state=[0, 1],
    )  # fmt: skip
    folder = found.save(tmp_path / "run")
    lines = (folder / "oof.csv").read_text(encoding="utf-8").splitlines()
    gap = int(np.flatnonzero(np.isnan(gaps.Y[:, 1]))[0])
    filled = [name for name, cell in zip(lines[0].split(","), lines[gap + 1].split(","),
                                         strict=True) if cell == ""]  # fmt: skip
    assert filled
    assert all(name.startswith("some") for name in filled)
    run = load_run(folder)
    assert run.description["texts"]["n_with_target"] == {
        "all": 80, "some": int((~np.isnan(gaps.Y[:, 1])).sum()),
    }  # fmt: skip
    known = ~np.isnan(gaps.Y[:, 1])
    means = np.average(gaps.Y[known, 1], weights=gaps.weights[known])
    assert run.target_means()[1] == pytest.approx(means)
    # Reports: of what was just made, of what was saved, and of a blend.
    for results in (found, recorded_results(run)):
        both = all_contents(results)
        assert [len(contents.y) for contents in both] == [80, known.sum()]
        assert both[1].best.scores.rmse == pytest.approx(
            min(r.scores.rmse for r in found.results if r.target == "some")
        )
    mixed = blend([folder])
    [_, some] = mixed.targets
    np.testing.assert_array_equal(np.isfinite(some.predictions), known)
    blended = load_run(save_blend(mixed, tmp_path / "blend"))
    assert blended.predict(gaps.task.texts[:3], gaps.task.bank).shape == (3, 2)
    table = blended.read_oof()
    assert [cell == "" for cell in table["some: blend"]] == (~known).tolist()
    # Neighbours are texts that the model was fitted on.
    explained = run.explain(gaps.task.texts, n_neighbours=3, training=gaps.task.texts)
    own = [item for item in explained if item.target == "some"]
    assert [item.trained_on is not None for item in own] == known.tolist()
    lacking = {str(row + 1) for row in np.flatnonzero(~known)}
    assert not lacking & {near.id for item in own for near in item.neighbours}


@pytest.mark.usefixtures("without_reports")
@pytest.mark.parametrize(
    ("old", "new"), [("n_with_target", "n_with_tarmac"), ('"some": ', '"some": 1')]
)
def test_a_damaged_count_is_found(gaps: Gaps, tmp_path: Path, old: str, new: str) -> None:
    names = NAMES[:2]
    found = evaluate(
        gaps.task.bank, gaps.task.texts, gaps.Y[:, :2], target_names=names, skip_missing=True
    )
    folder = found.save(tmp_path / "run")
    manifest = folder / "run.json"
    text = manifest.read_text(encoding="utf-8")
    assert old in text
    manifest.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(RunError, match="damaged"):
        load_run(folder).read_oof()


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({3: np.nan}, {}, r"in row 4: mend or drop them, or leave missing ones out .skip_missing"),
        ({3: np.inf}, {}, r"in row 4: mend or drop them$"),
        ({3: np.inf, 4: np.nan}, {"skip_missing": True}, r"in row 4: mend or drop them$"),
        (dict.fromkeys(range(40), np.nan), {"skip_missing": True}, "no row has a target"),
        (dict.fromkeys(range(1, 40), np.nan), {"skip_missing": True}, "one distinct value"),
        ({3: np.nan}, {"skip_missing": True, "folds": [0, 1, 2, 3] * 10}, "39 texts|finite|"),
    ],
)
def test_what_is_still_refused(
    make_task: MakeTask, change: dict[Any, float], options: dict[str, Any], message: str
) -> None:
    task = make_task(40)
    y = task.y.copy()
    for place, value in change.items():
        y[place] = value
    if not message.endswith("|"):
        with pytest.raises(InputError, match=message):
            evaluate(task.bank, task.texts, y, **options)
    else:
        assert len(evaluate(task.bank, task.texts, y, **options).folds) == 39


def test_what_only_several_targets_can_lack(gaps: Gaps) -> None:
    bank, texts, Y = gaps.task.bank, gaps.task.texts, gaps.Y[:, :2].copy()
    folds = np.arange(80) % 5
    Y[folds == 2, 1] = np.nan
    with pytest.raises(InputError, match=r"'b' has values in 4 of 5 folds alone: ask for fewer"):
        evaluate(bank, texts, Y, target_names=["a", "b"], skip_missing=True, folds=folds)
    with pytest.raises(InputError, match="there are 80 texts and 79 folds"):
        evaluate(bank, texts, Y, skip_missing=True, folds=folds[:79])
    Y[:, 1] = np.nan
    with pytest.raises(InputError, match="'b' is missing in every row"):
        evaluate(bank, texts, Y, target_names=["a", "b"], skip_missing=True)
    unknown = [*texts[:70], *(f"unknown {i}" for i in range(10))]
    Y[:, 1] = Y[:, 0]
    Y[:60, 1] = Y[2, 0] = np.nan
    Y[2, 1] = 0.0
    Y[1] = np.nan
    for score in (evaluate, sweep):
        with pytest.raises(MissingTexts, match=r"lacks 10 of the texts, first at row 71") as caught:
            score(bank, unknown, Y, skip_missing=True)
        assert caught.value.positions == tuple(range(70, 80))
