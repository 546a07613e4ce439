"""``fit`` on the command line, with a stage 1 that has the vectors already."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features import Bank
from features.console.app import new_app
from features.console.app import run as run_app
from regress import load_run
from regress.commands.fit import default_bank, fit_command_with
from regress.commands.predict import predict_command_with
from tests.regress.conftest import MadeUpTask
from tests.regress.stage_1 import Moves

pytestmark = pytest.mark.usefixtures("without_reports")

Fit = Callable[..., tuple[int, str, str]]


@pytest.fixture
def made(task: MadeUpTask) -> Moves:
    return Moves(task)


@pytest.fixture
def cli(
    made: Moves, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Fit:  # fmt: skip
    """``fit`` and ``predict`` in a folder with ``train.csv``, as ``layerbank`` has them."""
    monkeypatch.chdir(tmp_path)
    app = new_app("front door")
    app.command("fit")(fit_command_with(lambda *_: made))
    app.command("predict")(predict_command_with(lambda *_: made))

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            run_app(app, [str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return call


TRAIN = ("fit", "train.csv", "--target", "score")


def test_two_commands_from_a_file_to_predictions(cli: Fit, made: Moves, task: MadeUpTask) -> None:
    code, out, err = cli(*TRAIN, "--quiet")
    assert (code, err) == (0, "")
    score, mean, best, report, following = out.splitlines()
    run = load_run("run")
    assert score.startswith(f"score     RMSE {run.models[0].scores['rmse']:.4f} ± ")
    assert "each fold predicted by what was found without it" in score
    assert mean.endswith(" for predicting the mean")
    assert float(mean.split()[2]) == pytest.approx(task.y.std(), rel=0.05)
    assert best == f"best      {run.models[0].model} on {run.models[0].select}"
    assert (report, following) == (
        "report    layerbank report run", "next      layerbank predict run NEW.csv"
    )  # fmt: skip
    assert made.asked == task.texts
    assert Bank.open("roberta-base.bank").n_texts == 60
    assert not Path("run.parts").exists()
    code, out, _ = cli("predict", "run", "train.csv")
    assert code == 0
    assert "no score, since the file holds only 60 texts the run was trained on" in out
    predictions = pd.read_csv("predictions.csv")
    assert list(predictions) == ["row", "score"]
    assert np.corrcoef(predictions["score"], task.y)[0, 1] > 0.9


def test_what_is_there_stays_unless_it_is_forced(cli: Fit) -> None:
    assert cli(*TRAIN, "--select", "mean[-1]", "-q")[0] == 0
    code, _, err = cli(*TRAIN, "--select", "mean[-1]", "-q")
    assert code == 2
    assert "run exists: give another --out, or --force to replace it" in err
    assert cli(*TRAIN, "--select", "mean[-1]", "-q", "--force")[0] == 0
    assert cli("predict", "run", "train.csv")[0] == 0
    code, _, err = cli("predict", "run", "train.csv")
    assert code == 2
    assert "predictions.csv exists" in err


def test_selections_are_scored_and_models_divide_at_commas(cli: Fit) -> None:
    code, out, _ = cli(*TRAIN, "--select", "mean[1]", "--select", "cls[-1]", "--model", "ridge,svr")
    assert code == 0
    assert [out.count(word) for word in ("mean[1]", "cls[-1]", "naive RMSE")] >= [2, 2, 1]
    assert {(model.model, model.select) for model in load_run("run").models} == {
        (model, select) for model in ("ridge", "svr") for select in ("mean[1]", "cls[-1]")
    }
    code, _, err = cli(*TRAIN, "--model", "ridge,svm", "--out", "other")
    assert (code, "there is no regressor 'ridge,svm'" in err) == (2, True)


def test_the_effort_is_of_a_search(cli: Fit) -> None:
    code, _, err = cli(*TRAIN, "--effort", "full", "--select", "mean[1]")
    assert (code, "--effort is of a search" in err) == (2, True)
    code, _, err = cli(*TRAIN, "--effort", "some")
    assert (code, "there is no effort 'some'" in err) == (2, True)
    assert not Path("run").exists()


def test_a_dry_run_writes_nothing(cli: Fit, made: Moves, table: Path) -> None:
    before = sorted(Path().iterdir())
    code, out, _ = cli(*TRAIN, "--dry-run", "--encoder", "some/encoder")
    assert (code, out) == (0, "60 texts for encoder.bank\n")
    assert sorted(Path().iterdir()) == before
    assert not made.asked


def test_no_encode_refuses_and_names_the_way(cli: Fit) -> None:
    code, _, err = cli(*TRAIN, "--no-encode")
    assert code == 2
    assert "roberta-base.bank is not a bank" in err


def test_json_is_that_of_regress_and_of_sweep(cli: Fit) -> None:
    code, out, _ = cli(*TRAIN, "--json", "-q")
    assert (code, {"leaderboard", "results"} <= json.loads(out).keys()) == (0, True)
    code, out, _ = cli(*TRAIN, "--json", "-q", "--select", "mean[1]", "--out", "other")
    assert (code, json.loads(out)["results"][0]["select"]) == (0, "mean[1]")


def test_a_run_is_repeated(cli: Fit) -> None:
    assert cli(*TRAIN, "-q", "--seed", "3")[0] == 0
    code, out, err = cli("fit", "--from", "run", "--out", "again")
    assert code == 0
    assert "all numbers are those of" in out + err
    assert load_run("again").description["folds"]["seed"] == 3
    code, _, err = cli("fit", "--from", "run", "--out", "third", "--effort", "full")
    assert (code, "drop --effort" in err) == (2, True)


def test_without_columns_it_shows_them_and_the_line_to_type(cli: Fit, table: Path) -> None:
    code, out, _ = cli("fit", "train.csv")
    assert code == 2
    lines = out.splitlines()
    assert lines[0] == "train.csv has these columns:"
    assert any(line.split()[:2] == ["author", "word"] for line in lines)
    assert lines[-1] == "  layerbank fit train.csv --text text --target score --id id"
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("encoder", "weights", "expected"),
    [
        (None, None, "roberta-base.bank"),
        ("microsoft/deberta-v3-base", None, "deberta-v3-base.bank"),
        ("./my-encoder/", None, "my-encoder.bank"),
        (None, "fold0.bin", "roberta-base-fold0.bank"),
    ],
)
def test_a_bank_is_called_after_its_encoder(
    encoder: str | None, weights: str | None, expected: str
) -> None:
    path = default_bank(encoder, None if weights is None else Path(weights))
    assert path == Path(expected)


def test_several_targets(cli: Fit) -> None:
    code, out, _ = cli(*TRAIN, "--target", "double", "-q", "--select", "mean[1]")
    assert code == 0
    assert "for score, each fold" in out
    assert "for double, each fold" in out


@pytest.fixture
def fitted(cli: Fit, table: Path, task: MadeUpTask) -> pd.DataFrame:
    """A run on the first 40 rows with ids; the other rows, with their truth."""
    frame = pd.read_csv(table, dtype={"id": str})
    frame.head(40).to_csv("some.csv", index=False)
    frame.tail(25).to_csv("new.csv", index=False)
    arguments = ("some.csv", "--target", "score", "--id", "id", "--select", "mean[:]", "-q")
    assert cli("fit", *arguments)[0] == 0
    return frame.tail(25)


def test_the_hold_out_is_scored_without_what_was_trained_on(cli: Fit, fitted: pd.DataFrame) -> None:
    code, out, _ = cli("predict", "run", "new.csv", "--by", "author")
    assert code == 0
    predictions = pd.read_csv("predictions.csv", dtype={"id": str})
    assert list(predictions) == ["id", "score"]
    new = predictions.merge(fitted, on="id", suffixes=("", "_true")).tail(20)
    rmse = float(np.sqrt(((new["score"] - new["score_true"]) ** 2).mean()))
    promised = load_run("run").models[0].scores
    assert (
        f"on 20 new texts, where the run promised {promised['rmse']:.4f} ± {promised['se']:.4f}; 5 "
        "texts the run was trained on are left out"
    ) in out
    assert f"score: RMSE {rmse:.4f} ± " in out
    assert out.count("  author author ") == 7
    code, out, _ = cli("predict", "run", "new.csv", "--json", "--force")
    [found] = json.loads(out)["held_out"]
    assert (found["n_texts"], found["n_trained_on"]) == (20, 5)
    assert found["scores"]["rmse"] == pytest.approx(rmse)


def test_a_target_column_that_is_partly_empty(cli: Fit, fitted: pd.DataFrame) -> None:
    fitted.assign(score=[np.nan] * 10 + fitted["score"].tolist()[10:]).to_csv("part.csv")
    _, out, _ = cli("predict", "run", "part.csv")
    assert "on 15 new texts" in out
    fitted.assign(score=np.nan).to_csv("none.csv")
    _, out, _ = cli("predict", "run", "none.csv", "--force")
    assert "promised" not in out


def test_like_a_sample_submission(cli: Fit, fitted: pd.DataFrame) -> None:
    sample = fitted[["id"]].iloc[::-1].assign(value=0)[["value", "id"]]
    sample.to_csv("sample.csv", index=False)
    code, _, err = cli("predict", "run", "new.csv", "--like", "sample.csv", "-q")
    assert (code, err) == (0, "")
    written = pd.read_csv("submission.csv", dtype={"id": str})
    assert list(written) == ["value", "id"]
    assert written["id"].tolist() == sample["id"].tolist()
    assert cli("predict", "run", "new.csv")[0] == 0
    plain = pd.read_csv("predictions.csv", dtype={"id": str}).set_index("id")["score"]
    assert np.allclose(written["value"], plain[written["id"]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.iloc[1:], "the id '035' of the file of texts is not in sample.csv"),
        (lambda s: s.assign(id=["zz", *s["id"][1:]]), "the id 'zz' of sample.csv is not in"),
        (lambda s: s.assign(id="035"), "sample.csv has an id twice in column 'id'"),
        (lambda s: s.assign(more=1), "--like takes a file with a column of ids and one for each"),
        (lambda s: s[["id"]], "--like takes a file with a column of ids and one for each"),
    ],
)  # fmt: skip
def test_samples_that_do_not_fit(
    cli: Fit, fitted: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    change(fitted[["id", "score"]]).to_csv("sample.csv", index=False)
    code, _, err = cli("predict", "run", "new.csv", "--like", "sample.csv")
    assert code == 2
    assert message in err
    assert not Path("submission.csv").exists()


def test_options_override_what_the_run_knows(
    cli: Fit, fitted: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    fitted.rename(columns={"text": "essay", "id": "number"}).to_csv("other.csv", index=False)
    code, _, err = cli("predict", "run", "other.csv")
    assert (code, "has no column 'text'" in err) == (2, True)
    assert cli("predict", "run", "other.csv", "--text", "essay")[0] == 0
    assert "has no column 'id', so rows are numbered: name the ids with --id" in caplog.text
    assert list(pd.read_csv("predictions.csv")) == ["row", "score"]
    renamed = ("--text", "essay", "--id", "number", "--force")
    assert cli("predict", "run", "other.csv", *renamed)[0] == 0
    assert list(pd.read_csv("predictions.csv")) == ["number", "score"]
    code, _, err = cli(
        "predict", "run", "other.csv", "--text", "essay", "--id", "score", "--out", "p.csv"
    )
    assert (code, "are both called 'score': give another column with --id" in err) == (2, True)


def test_runs_made_in_python_have_no_columns(cli: Fit, task: MadeUpTask, table: Path) -> None:
    from regress import evaluate

    evaluate(task.bank, task.texts, task.y).save("python")
    pd.read_csv(table).rename(columns={"text": "essay"}).to_csv("other.csv", index=False)
    code, _, err = cli("predict", "python", "other.csv")
    assert code == 2
    assert "was made in Python, where columns have no names: say which one" in err
    assert cli("predict", "python", "other.csv", "--text", "essay")[0] == 0


def test_older_runs_kept_no_keys(cli: Fit, fitted: pd.DataFrame) -> None:
    run = Path("run")
    (run / "keys.npz").unlink()
    code, _, err = cli("predict", "run", "new.csv")
    assert (code, "keys.npz cannot be read" in err) == (2, True)
    description = json.loads((run / "run.json").read_text(encoding="utf-8"))
    del description["sha256"]["keys.npz"]
    (run / "run.json").write_text(json.dumps(description), encoding="utf-8")
    shutil.copy("new.csv", "again.csv")
    code, out, err = cli("predict", "run", "again.csv", "--bank", "roberta-base.bank")
    assert code == 0, err
    assert "on 25 new texts" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "rigde"), "there is no regressor 'rigde' (did you mean 'ridge'?)"),
        (("--select", "last4"), "'last4' is said in words: write 'cls[-4:]' or 'mean[-4:]'"),
        (("--select", "mean[:"), "expected"),
        (("--sample-weight", "bad"), "sample weight"),
    ],
)
def test_what_is_wrong_shows_before_anything_is_encoded(
    cli: Fit, made: Moves, options: tuple[str, str], message: str
) -> None:
    code, _, err = cli(*TRAIN, *options)
    assert (code, message in err) == (2, True), err
    assert not made.asked
    assert not Path("roberta-base.bank").exists()


def test_alone_it_says_what_it_takes(cli: Fit) -> None:
    code, _, err = cli("fit")
    assert (code, "`layerbank fit FILE` shows its columns" in err) == (2, True)


def test_columns_of_other_files_are_told_as_well(cli: Fit) -> None:
    Path("de.csv").write_text("Text;Wert\nein Satz;3,5\nnoch einer;-1,25\n", encoding="utf-8")
    assert cli("fit", "de.csv")[1].endswith("fit de.csv --text Text --target Wert\n")
    rows = [{"y": None, "text": "a"}, {"y": 2, "text": None}]
    Path("gaps.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert cli("fit", "gaps.jsonl")[1].endswith("fit gaps.jsonl --text text --target y\n")
