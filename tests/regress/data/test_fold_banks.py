"""Encoders that were fine-tuned fold by fold: each fold on its own bank, and no other."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features import Bank
from features.errors import BankError, FingerprintMismatch, InputError
from features.keys import Text
from regress import TunedLightGBM, TunedRidge, TunedSVR, evaluate, load_run
from regress.blend import HONEST, blend
from regress.cli import app
from regress.runs.missing import holding
from regress.sweep import save_sweep, sweep
from tests.made_up import SETUP, SOURCE
from tests.regress.conftest import fill

pytestmark = pytest.mark.usefixtures("without_reports")

N, FOLDS = 60, 3
TEXTS = [f"text {i}" for i in range(N)]
NEW = [f"new {i}" for i in range(8)]
LABELS = [str(i % FOLDS) for i in range(N)]
ALPHAS = [0.1, 10.0, 1000.0]


def make_bank(path: Path, weights: str, states: np.ndarray, **setup: Any) -> Bank:
    described = {**SETUP, "hidden_size": 5, "pooler": False, "weights": weights * 64, **setup}
    bank = Bank.create(path, described, SOURCE)
    fill(bank, TEXTS + NEW, states.astype(np.float32))
    return bank


@pytest.fixture
def y() -> np.ndarray:
    return np.random.default_rng(3).standard_normal(N)


@pytest.fixture
def template(tmp_path: Path, y: np.ndarray) -> str:
    """Encoders that have learned their training texts by heart, and nothing else."""
    rng = np.random.default_rng(0)
    for fold in range(FOLDS):
        states = rng.standard_normal((N + len(NEW), 9, 5))
        seen = [i for i in range(N) if i % FOLDS != fold]
        states[seen] += 5 * y[seen, None, None]
        make_bank(tmp_path / f"tuned-{fold}.bank", "abc"[fold], states)
    return str(tmp_path / "tuned-{fold}.bank")


def test_what_encoders_know_by_heart_scores_nothing(template: str, y: np.ndarray) -> None:
    leaking = evaluate(template.replace("{fold}", "0"), TEXTS, y, folds="plain")
    assert leaking.best.scores.r2 > 0.3
    models = [TunedRidge(), TunedSVR([0.5], [1.0], [0.1]), TunedLightGBM(20, 10)]
    honest = evaluate(template, TEXTS, y, folds=LABELS, models=models)
    assert all(result.scores.r2 < 0.05 for result in honest.results)


def test_a_fold_is_scored_by_plain_ridge_on_its_bank(template: str, y: np.ndarray) -> None:
    experiment = evaluate(template, TEXTS, y, select="mean[:]", folds=LABELS,
                          models=[TunedRidge(ALPHAS)])  # fmt: skip
    folds, new = np.arange(N) % FOLDS, []
    for fold in range(FOLDS):
        bank = Bank.open(template.replace("{fold}", str(fold)))
        X = bank.matrix(TEXTS, "mean[:]", dtype=np.float64)
        train = folds != fold
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": ALPHAS},
            scoring="neg_mean_squared_error", cv=PredefinedSplit(folds[train]),
        ).fit(X[train], y[train])  # fmt: skip
        np.testing.assert_allclose(
            experiment.best.predictions[~train], search.predict(X[~train]), rtol=0, atol=1e-8
        )
        assert experiment.best.fold_params[fold]["alpha"] == search.best_params_["ridge__alpha"]
        new.append(search.predict(bank.matrix(NEW, "mean[:]", dtype=np.float64)))
    np.testing.assert_allclose(experiment.predict(NEW), np.mean(new, axis=0), atol=1e-8)


def test_a_folds_targets_leave_its_predictions_alone(template: str, y: np.ndarray) -> None:
    changed = np.where(np.arange(N) % FOLDS == 1, 100 - y, y)
    one, other = (evaluate(template, TEXTS, of, folds=LABELS).best for of in (y, changed))
    np.testing.assert_allclose(one.predictions[1::3], other.predictions[1::3], rtol=0, atol=1e-9)


def test_a_saved_run_predicts_from_all_banks(template: str, y: np.ndarray, tmp_path: Path) -> None:
    models = ["ridge", TunedSVR([0.5], [1.0], [0.1]), TunedLightGBM(20, 10)]
    experiment = evaluate(template, TEXTS, y, folds=LABELS, models=models)
    run = load_run(experiment.save(tmp_path / "run"))
    assert [of["fold"] for of in run.banks] == ["0", "1", "2"]
    for result, saved in zip(experiment.results, run.models, strict=True):
        expected = result.fitted.predict(experiment.banks.matrix(NEW, result.select))
        # As BLAS adds, which may turn on where an array begins in memory.
        np.testing.assert_allclose(run.predict(NEW, model=saved.label), expected, rtol=1e-10)
    (tmp_path / "moved").mkdir()
    for fold in range(FOLDS):
        shutil.move(template.replace("{fold}", str(fold)), tmp_path / "moved" / f"{fold}.bank")
    elsewhere = str(tmp_path / "moved" / "{fold}.bank")
    np.testing.assert_allclose(run.predict(NEW, elsewhere), experiment.predict(NEW), rtol=1e-10)

    encoded: list[str] = []

    def encode(texts: Sequence[Text], into: Path, recorded: Mapping[str, Any]) -> None:
        encoded.append(recorded["fold"])
        states = np.zeros((len(texts), 9, 5), np.float32)
        fill(Bank.open(into), [str(text) for text in texts], states)

    needed, texts = run.banks_needed(), [*NEW, "unseen"]
    banks = [*holding(run, needed, texts, encode, bank=[Path(elsewhere)]).values()]
    assert encoded == ["0", "1", "2"]
    assert run.predict(["unseen"], banks).shape == (1,)


def test_a_sweep_scores_each_fold_on_its_own_bank(
    template: str, y: np.ndarray, tmp_path: Path
) -> None:
    models = ["ridge", TunedSVR([0.5], [1.0], [0.1])]
    swept = sweep(template, TEXTS, y, folds=LABELS, models=models, n_best=2)
    assert all(result.scores.r2 < 0.05 for result in swept.results)
    plain = evaluate(template, TEXTS, y, select="mean[:]", folds=LABELS).best
    line = next(one for one in swept.rows("target") if one.label == "ridge mean[:]")
    np.testing.assert_allclose(line.predictions, plain.predictions, rtol=0, atol=1e-8)
    assert line.n_columns == plain.n_columns
    run = load_run(save_sweep(swept, tmp_path / "run"))
    np.testing.assert_allclose(run.predict(NEW), swept.predict(NEW), rtol=0, atol=1e-9)
    [blended] = blend([run.path]).targets
    assert blended.label == HONEST


def test_the_command_line_and_from(
    template: str, y: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from features.console.app import run as run_app

    table = tmp_path / "train.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [["text", "score", "fold"], *zip(TEXTS, y.tolist(), LABELS, strict=True)]
        )
    given = ["--target", "score", "--bank", template, "--fold-column", "fold"]
    for arguments in (
        ["regress", str(table), *given, "--out", str(tmp_path / "run")],
        ["regress", "--from", str(tmp_path / "run"), "--out", str(tmp_path / "again")],
    ):
        with pytest.raises(SystemExit) as caught:
            run_app(app, arguments)
        assert not caught.value.code
    captured = capsys.readouterr()
    assert "each fold is scored on its own bank" in captured.out
    assert "to the last digit" in captured.err


def test_banks_that_are_not_fold_wise(template: str, y: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--fold-column"):
        evaluate(template, TEXTS, y)
    with pytest.raises(InputError, match=r"fold '\.\./9' cannot stand in the path"):
        evaluate(template, TEXTS, y, folds=["../9" if label == "1" else label for label in LABELS])
    with pytest.raises(BankError, match="fold 9 has no bank at"):
        evaluate(template, TEXTS, y, folds=["9" if label == "1" else label for label in LABELS])
    states = np.random.default_rng(0).standard_normal((N + len(NEW), 9, 5))
    make_bank(tmp_path / "tuned-3.bank", "a", states)
    with pytest.raises(InputError, match="folds 0 and 3 come from one encoder"):
        evaluate(template, TEXTS, y, folds=["3" if label == "1" else label for label in LABELS])
    make_bank(tmp_path / "tuned-4.bank", "d", states, max_length=128)
    with pytest.raises(FingerprintMismatch, match="differ in max_length"):
        evaluate(template, TEXTS, y, folds=["4" if label == "1" else label for label in LABELS])


@pytest.mark.parametrize("score", [evaluate, sweep])
def test_targets_that_rows_lack_are_scored_on_the_banks_of_the_folds(
    template: str, y: np.ndarray, score: Any
) -> None:
    Y = np.stack([y, -y], axis=1)
    Y[::7, 1] = np.nan
    rows = np.flatnonzero(~np.isnan(Y[:, 1]))
    options: dict[str, Any] = {"models": [TunedRidge(ALPHAS)], "select": "mean[-1]"}
    found = score(template, TEXTS, Y, folds=LABELS, skip_missing=True, **options)
    alone = score(
        template, [TEXTS[i] for i in rows], Y[rows, 1], folds=[LABELS[i] for i in rows], **options
    )
    [second] = [result for result in found.results if result.target == "target_2"]
    np.testing.assert_allclose(second.predictions[rows], alone.best.predictions, atol=1e-10)
    assert np.isnan(np.delete(second.predictions, rows)).all()
