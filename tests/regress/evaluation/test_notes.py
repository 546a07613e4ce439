"""What is said beside scores: each sentence where the data call for it, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from features import Bank, text_keys
from regress import evaluate
from regress.blend import blend
from regress.blend.results import blend_results, notes_on_blend
from regress.data.folds import Folds
from regress.data.task import checked_task
from regress.evaluation.leaderboard import LeaderboardRow
from regress.evaluation.metrics import Vector, score
from regress.evaluation.notes import notes, on_scores
from regress.runs.recorded import NoBanks, RecordedResults
from tests.made_up import SETUP, SOURCE
from tests.regress.conftest import MadeUpTask

MakeTask = Callable[..., MadeUpTask]

BASELINE, TWO_VALUES = "no better than the mean", "has only two values"
QUOTE_AUTO, WORSE_BLEND, CUT = "quote auto's RMSE", "worse than its best member", "were not read"


def said(sentences: Sequence[str], words: str) -> bool:
    return any(words in sentence for sentence in sentences)


def results_of(y: Vector, **rows: tuple[str, Vector]) -> RecordedResults:
    """Results with these rows by name, each a kind and its predictions."""
    texts = [f"text {i}" for i in range(len(y))]
    folds = Folds(np.arange(len(y)) % 5, 5, "plain", 0, "f" * 64)
    recorded = [
        LeaderboardRow(kind, "ridge", name, (), 1, score(y, predicted), 0.0, [], predicted)
        for name, (kind, predicted) in rows.items()
    ]
    return RecordedResults(
        banks=NoBanks(), task=checked_task(texts, y), folds=folds, results=[], regressors={},
        recorded={"target": recorded},
    )  # fmt: skip


@pytest.fixture(scope="module")
def y() -> Vector:
    return np.random.default_rng(0).standard_normal(200)


@pytest.fixture(scope="module")
def noise() -> Vector:
    return np.random.default_rng(1).standard_normal(200)


@pytest.mark.parametrize(
    ("mixed", "expected"), [(1.0, False), (0.5, False), (0.0, True), (-1.0, True)]
)
def test_a_score_no_better_than_the_baseline(
    y: Vector, noise: Vector, mixed: float, expected: bool
) -> None:
    predicted = mixed * y + 0.1 * noise
    told = [*on_scores(results_of(y, m=("result", predicted)))]
    assert said(told, BASELINE) is expected


def test_noise_is_named_as_such_by_a_real_experiment(make_task: MakeTask) -> None:
    task = make_task(60)
    learnt = evaluate(task.bank, task.texts, task.y, select="mean[-1]")
    shuffled = np.random.default_rng(3).permutation(task.y)
    assert not said(notes(learnt), BASELINE)
    assert said(notes(evaluate(task.bank, task.texts, shuffled, select="cls[0]")), BASELINE)


@pytest.mark.parametrize("values", [[0.0, 1.0], [-3.5, 7.0], [0.0, 1.0, 2.0]])
def test_a_target_with_two_values(noise: Vector, values: list[float]) -> None:
    y = np.array(values)[np.arange(200) % len(values)]
    told = [*on_scores(results_of(y, m=("result", y + 0.1 * noise)))]
    assert said(told, TWO_VALUES) is (len(values) == 2)
    if len(values) == 2:
        assert f"{values[0]:g} and {values[1]:g}" in " ".join(told)


@pytest.mark.parametrize(("worse", "expected"), [(0.1, True), (0.0, False), (-0.1, False)])
def test_a_sweep_whose_procedure_is_behind_its_best_row(
    y: Vector, noise: Vector, worse: float, expected: bool
) -> None:
    rows = {"a": ("block", y + 0.5 * noise), "auto": ("auto", y + (0.5 + worse) * noise)}
    told = [*on_scores(results_of(y, **rows))]
    assert said(told, QUOTE_AUTO) is expected
    assert not said([*on_scores(results_of(y, a=rows["a"]))], QUOTE_AUTO)


@pytest.mark.parametrize(("off", "expected"), [(1.0, True), (0.0, False)])
def test_a_blend_behind_its_best_member(
    y: Vector, noise: Vector, off: float, expected: bool
) -> None:
    member = y + 0.5 * noise
    rows = {"one": ("result", member), "all": ("blend", member + off * np.roll(noise, 7))}
    told = [*on_scores(results_of(y, **rows))]
    assert said(told, WORSE_BLEND) is expected


@pytest.mark.usefixtures("without_reports")
def test_a_real_blends_notes_are_of_its_own_rows(make_task: MakeTask, tmp_path: Path) -> None:
    task = make_task(60)
    runs = [
        evaluate(task.bank, task.texts, task.y, select=select).save(tmp_path / select[:4])
        for select in ("mean[-1]", "max[-1]")
    ]
    blended = blend(runs)
    results = blend_results(blended)
    [best, *_] = results.standings("target")
    told = notes_on_blend(blended, results)
    blend_row = next(s for s in results.standings("target") if s.row.kind == "blend")
    assert said(told, WORSE_BLEND) is (blend_row.behind.value > blend_row.behind.se)
    assert best.row.scores.rmse <= blend_row.row.scores.rmse


@pytest.mark.parametrize(("cut", "expected"), [(30, True), (7, True), (6, False), (0, False)])
def test_texts_whose_ends_were_not_read(tmp_path: Path, cut: int, expected: bool) -> None:
    bank = Bank.create(tmp_path / "b.bank", {**SETUP, "pooler": False}, SOURCE)
    texts, rng = [f"text {i}" for i in range(60)], np.random.default_rng(0)
    blocks = rng.standard_normal((60, len(bank.blocks), 4)).astype(np.float32)
    with bank.writer({"engine": "made up"}) as writer:
        writer.add(text_keys(texts), np.full(60, 9, np.int32), np.arange(60) < cut, blocks)
    bank.refresh()
    told = notes(evaluate(bank, texts, rng.standard_normal(60)))
    assert said(told, CUT) is expected
    if expected:
        assert f"{cut / 60:.0%} of the texts" in " ".join(told)


def test_several_targets_are_named(y: Vector, noise: Vector) -> None:
    one = results_of(y, m=("result", noise))
    task = checked_task([f"text {i}" for i in range(200)], np.stack([y, -y], axis=1),
                        target_names=["ease", "age"])  # fmt: skip
    both = RecordedResults(
        banks=NoBanks(), task=task, folds=one.folds, results=[], regressors={},
        recorded={name: one.recorded["target"] for name in task.target_names},
    )  # fmt: skip
    told = [*on_scores(both)]
    assert [sentence.split(":")[0] for sentence in told] == ["ease", "age"]
