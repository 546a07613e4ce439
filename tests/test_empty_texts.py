"""``predict`` on texts that are empty, missing or give no token: every id has its row."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extract import extract
from extract.texts.tokenizer import Tokenizer
from features.console.app import run as run_app
from features.errors import InputError, MissingTexts, NoTokens
from layerbank.cli import app
from regress import evaluate, load_run
from tests.regress.conftest import saved_without_reports
from tests.tiny_encoders import CORPUS, save_encoder, save_tokenizer

TEXTS = [word for line in CORPUS for word in line.split(", ")]
Y = np.array([float(len(text)) for text in TEXTS])


class Trained:
    """A run and its bank, of an encoder that is at hand."""

    def __init__(self, folder: Path, encoder: Path, texts: list[Any]) -> None:
        self.bank, self.encoder = folder / "a.bank", encoder
        extract(texts, self.bank, encoder=encoder, poolings=["mean"], precision="fp32")
        weights = np.linspace(1, 2, len(texts))
        Y2 = np.stack([Y, -Y], axis=1)
        found = evaluate(self.bank, texts, Y2, target_names=["a", "b"], cv=3, sample_weight=weights)
        self.run = load_run(found.save(folder / "run"))
        self.means = [np.average(Y, weights=weights), np.average(-Y, weights=weights)]


@pytest.fixture(scope="module")
def trained(tiny_roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    with saved_without_reports():
        return Trained(tmp_path_factory.mktemp("special"), tiny_roberta, TEXTS)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """With a tokenizer that adds no special tokens."""
    encoder = tmp_path_factory.mktemp("encoders") / "bare"
    save_tokenizer(encoder, "wordpiece")
    file = encoder / "tokenizer.json"
    description = json.loads(file.read_text(encoding="utf-8"))
    description["post_processor"] = None
    file.write_text(json.dumps(description), encoding="utf-8")
    save_encoder(encoder, "roberta", layers=2)
    with saved_without_reports():
        return Trained(tmp_path_factory.mktemp("bare"), encoder, TEXTS)


def written(file: Path, texts: list[str], *, column: str = "text") -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = [["id", column], *([f"n{number}", text] for number, text in enumerate(texts))]
        csv.writer(stream).writerows(rows)
    return file


def predicted(
    trained: Trained,
    file: Path,
    capsys: pytest.CaptureFixture[str],
    *options: str,
) -> tuple[int, pd.DataFrame, str]:
    out = file.with_name("p.csv")
    out.unlink(missing_ok=True)
    scratch = file.with_name("scratch.bank")
    arguments = [
        "predict",
        trained.run.path,
        file,
        "--id",
        "id",
        "--scratch",
        scratch,
        "--out",
        out,
    ]
    with pytest.raises(SystemExit) as caught:
        run_app(app, [*map(str, arguments), *options])
    table = pd.read_csv(out) if out.exists() else pd.DataFrame()
    return int(caught.value.code or 0), table, capsys.readouterr().err


ODD = ["", " ", "\t \n", "so be it"]


def test_an_empty_text_is_predicted_from_its_special_tokens(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "new.csv", [TEXTS[0], *ODD, TEXTS[1]])
    code, table, err = predicted(trained, file, capsys)
    assert code == 0, err
    assert table["id"].tolist() == [f"n{number}" for number in range(6)]
    assert "1 of the texts is empty, or in part: predicted like any other" in err
    # The same vectors as an extraction gives that takes the texts as they are.
    other = tmp_path / "other.bank"
    extract([*TEXTS, *ODD], other, encoder=trained.encoder, poolings=["mean"], precision="fp32")
    expected = trained.run.predict([TEXTS[0], *ODD, TEXTS[1]], other)
    np.testing.assert_allclose(table.iloc[:, 1:], expected, rtol=1e-4, atol=1e-4)
    assert not np.isclose(expected[1], trained.means).any()
    # In Python a text that is missing is an empty one.
    for missing in (None, float("nan"), pd.NA):
        alone = trained.run.predict([missing], other)
        np.testing.assert_allclose(alone, expected[[1]], rtol=1e-9)


def test_the_mean_and_rows_left_out(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "new.csv", [TEXTS[0], "", " ", TEXTS[1]])
    code, table, err = predicted(trained, file, capsys, "--empty", "mean")
    assert code == 0, err
    np.testing.assert_allclose(table.iloc[1, 1:].astype(float), trained.means, rtol=1e-12)
    assert "1 of the texts is empty, or in part: given the training mean" in err
    assert not np.isclose(table.iloc[2, 1], trained.means[0])
    for option in (["--empty", "skip"], ["--skip-empty"], ["--skip-empty", "--empty", "skip"]):
        code, table, err = predicted(trained, file, capsys, *option)
        assert (code, table["id"].tolist()) == (0, ["n0", "n2", "n3"])
        assert "1 of the texts is empty, and left out" in err
    code, _, err = predicted(trained, file, capsys, "--empty", "mean", "--skip-empty")
    assert code == 2
    assert "--skip-empty is --empty skip" in err
    code, _, err = predicted(trained, file, capsys, "--empty", "zero")
    assert code == 2
    assert "empty texts are predict, mean, skip, not 'zero'" in err
    # All of them: then nothing has to be encoded, and no bank is needed.
    file = written(tmp_path / "none.csv", ["", ""])
    code, table, err = predicted(trained, file, capsys, "--empty", "mean", "-q")
    assert (code, err) == (0, "")
    np.testing.assert_allclose(table["b"], trained.means[1], rtol=1e-12)


def test_a_text_without_a_token_gets_the_mean(
    bare: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenless = ["", " ", "\n\t", "　", " \n"]
    file = written(tmp_path / "new.csv", ["so be it", *tokenless, TEXTS[1], " "])
    code, table, err = predicted(bare, file, capsys)
    assert code == 0, err
    assert table["id"].tolist() == [f"n{number}" for number in range(8)]
    by_mean = np.isclose(table["a"], bare.means[0], rtol=1e-12)
    assert by_mean.tolist() == [False, *[True] * 5, False, True]
    assert "1 of the texts is empty, or in part: given the training mean" in err
    assert "5 of the texts give no token: given the training mean" in err
    code, table, err = predicted(bare, written(tmp_path / "b.csv", tokenless), capsys, "--json")
    assert code == 0
    assert np.allclose(table["a"], bare.means[0])


def test_extraction_refuses_empty_texts_as_before(
    bare: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "train.csv", ["a", ""])
    with pytest.raises(SystemExit) as caught:
        arguments = ["extract", file, "--bank", tmp_path / "new.bank", "--encoder", bare.encoder]
        run_app(app, [str(argument) for argument in arguments])
    assert caught.value.code == 2
    assert "an empty or missing text in row 2: fill them in" in capsys.readouterr().err
    with pytest.raises(NoTokens, match="the text ' ' gives no token: leave it out") as error:
        extract([" ", "a", "\n"], tmp_path / "new.bank", encoder=bare.encoder, engine="torch")
    assert error.value.texts == (" ", "\n")


def test_pairs_of_which_a_part_is_empty(
    tiny_roberta: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [(text, text[::-1]) for text in TEXTS]
    with saved_without_reports():
        trained = Trained(tmp_path, tiny_roberta, pairs)
    file = tmp_path / "new.csv"
    file.write_text("id,p,q\n1,so,be it\n2,so,\n3,,\n", encoding="utf-8")
    options = ["--text", "p", "--text", "q"]
    code, table, err = predicted(trained, file, capsys, *options)
    assert code == 0, err
    assert len(table) == 3
    assert np.isfinite(table["a"]).all()
    assert "2 of the texts are empty, or in part: predicted" in err
    code, table, err = predicted(trained, file, capsys, *options, "--empty", "mean")
    np.testing.assert_allclose(table["a"][1:], trained.means[0], rtol=1e-12)
    values = trained.run.predict([("so", None), None, pairs[0]], empty="mean")
    np.testing.assert_allclose(values[:2], [trained.means] * 2, rtol=1e-12)


def test_python_says_what_a_bank_lacks(trained: Trained) -> None:
    texts = [TEXTS[0], None, TEXTS[1]]
    with pytest.raises(InputError, match=r"text 2 is empty.*lacks its vectors.*empty='mean'"):
        trained.run.predict(texts)
    with pytest.raises(MissingTexts, match="lacks 2 of the texts, first at row 2"):
        trained.run.predict([*texts, "never seen"])
    with pytest.raises(MissingTexts, match="first at row 4"):
        trained.run.predict([*texts, "never seen"], empty="mean")
    with pytest.raises(InputError, match="empty texts are predict, mean, skip, not 'no'"):
        trained.run.predict(texts, empty="no")
    plain = trained.run.predict([TEXTS[0], TEXTS[1]])
    for way, expected in (("mean", trained.means), ("skip", [np.nan, np.nan])):
        values = trained.run.predict(texts, empty=way)
        np.testing.assert_allclose(values[1], expected, rtol=1e-12)
        np.testing.assert_allclose(values[[0, 2]], plain, rtol=1e-9)


def test_a_run_without_its_record_of_targets_says_so(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained.run.path, folder)
    (folder / "oof.csv").unlink()
    run = load_run(folder)
    assert run.predict(TEXTS[:2], trained.bank).shape == (2, 2)
    with pytest.raises(Exception, match=r"oof\.csv cannot be read"):
        run.predict([None], trained.bank, empty="mean")


def test_the_tokenizer_names_all_that_give_no_token(bare: Trained) -> None:
    from extract.checkpoint.checkpoint import Checkpoint

    tokenizer = Tokenizer.load(Checkpoint.find(str(bare.encoder), None, None), 64)
    with pytest.raises(NoTokens) as caught:
        tokenizer.encode(["a", " ", "b", ""])
    assert caught.value.texts == (" ", "")
