"""`fit`: what a bank lacks is encoded, then it is `evaluate` or `sweep`, and no other numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import InputError, MissingTexts, NotABank, RunError
from regress import evaluate, load_run
from regress.fit import EFFORTS, fit
from regress.sweep import sweep
from tests.regress.conftest import MadeUpTask, made_up_task
from tests.regress.stage_1 import Moves

pytestmark = pytest.mark.usefixtures("without_reports")


@pytest.fixture
def all_of_it(tmp_path: Path) -> MadeUpTask:
    """A task of 70 texts, of which tests train on the first 60."""
    return made_up_task(tmp_path, 70, name="all.bank")


def test_a_bank_is_made_and_the_search_is_that_of_sweep(
    all_of_it: MadeUpTask, tmp_path: Path
) -> None:
    texts, y, encode = all_of_it.texts[:60], all_of_it.y[:60], Moves(all_of_it)
    found = fit(texts, y, bank=tmp_path / "new.bank", encode=encode, n_jobs=1)
    assert encode.asked == texts
    quick = EFFORTS["quick"]
    expected = sweep(
        all_of_it.bank, texts, y, models=quick.models, n_best=quick.n_best, greedy=False, n_jobs=1
    )
    assert {row.model for row in expected.rows("target")} == {"ridge", "krr"}
    assert found.best.scores == expected.best.scores
    assert found.best.select == expected.best.select
    new = all_of_it.texts[55:]
    assert np.allclose(found.predict(new), expected.predict(new), rtol=1e-12)
    assert encode.asked == all_of_it.texts
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.bank", "new.bank"]


def test_with_selections_it_is_evaluate(all_of_it: MadeUpTask) -> None:
    texts, y = all_of_it.texts[:60], all_of_it.y[:60]
    select, models = ["mean[1]", "mean[:]"], ["ridge", "svr"]
    found = fit(texts, y, bank=all_of_it.bank, select=select, models=models, random_state=3)
    expected = evaluate(all_of_it.bank, texts, y, select=select, models=models, random_state=3)
    assert [result.scores for result in found.results] == [r.scores for r in expected.results]
    alone = fit(texts, y, bank=all_of_it.bank, select="mean[1]")
    assert [result.model for result in alone.results] == ["ridge"]


def test_models_alone_are_what_the_search_takes(all_of_it: MadeUpTask) -> None:
    found = fit(all_of_it.texts, all_of_it.y, bank=all_of_it.bank, models="svr")
    assert {row.model for row in found.rows("target")} == {"ridge", "svr"}


def test_it_writes_a_run_where_it_is_told(all_of_it: MadeUpTask, tmp_path: Path) -> None:
    texts, y = all_of_it.texts[:60], all_of_it.y[:60]
    found = fit(texts, y, bank=all_of_it.bank, out=tmp_path / "run")
    assert (tmp_path / "run" / "leaderboard.csv").is_file()
    run = load_run(tmp_path / "run")
    new = all_of_it.texts[60:]
    assert np.allclose(run.predict(new), found.predict(new), rtol=1e-12)
    with pytest.raises(RunError, match=r"run exists: give another path, or force=True"):
        fit(texts, y, bank=all_of_it.bank, out=tmp_path / "run")


def test_what_is_refused(all_of_it: MadeUpTask, tmp_path: Path) -> None:
    texts, y = [*all_of_it.texts[:60], "unseen"], np.arange(61.0)
    with pytest.raises(MissingTexts):
        fit(texts, y, bank=all_of_it.bank)
    with pytest.raises(NotABank):
        fit(texts, y, bank=tmp_path / "none.bank")
    with pytest.raises(InputError, match="there is no effort 'some': choose from quick, full"):
        fit(texts, y, bank=all_of_it.bank, effort="some")
    found = fit(all_of_it.texts, all_of_it.y, bank=all_of_it.bank, encode=Moves(all_of_it))
    with pytest.raises(MissingTexts):
        found.predict(["unseen"], encode=False)


def test_a_run_encodes_what_its_bank_lacks(all_of_it: MadeUpTask, tmp_path: Path) -> None:
    from dataclasses import replace

    texts, y, encode = all_of_it.texts[:60], all_of_it.y[:60], Moves(all_of_it)
    found = fit(texts, y, bank=tmp_path / "own.bank", encode=encode, out=tmp_path / "run")
    encode.asked.clear()
    run = replace(load_run(tmp_path / "run"), encode=encode)
    new = all_of_it.texts[60:]
    with pytest.raises(MissingTexts):
        run.predict(new, encode=False)
    predicted = run.predict(new)
    assert encode.asked == new
    assert np.allclose(predicted, found.predict(new), rtol=1e-12)
    explained = run.explain(new[:2], n_neighbours=0)
    assert [item.prediction for item in explained.items] == pytest.approx(predicted[:2].tolist())


def test_nothing_is_encoded_for_a_bank_that_cannot_keep_it(
    all_of_it: MadeUpTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regress.fit.is_writable", lambda path: False)
    encode = Moves(all_of_it)
    texts = [*all_of_it.texts, "unseen"]
    with pytest.raises(MissingTexts, match="lacks 1 of the texts"):
        fit(texts, np.arange(71.0), bank=all_of_it.bank.path, encode=encode)
    assert not encode.asked
