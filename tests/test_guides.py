"""Everything the guides tell their reader to type, typed, and what has to come of it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features import Bank
from layerbank import load_run
from tests.pages import ROOT, SHELL, CodeBlock, code_blocks, pages
from tests.sentence_folders import save_sentence_folder
from tests.tiny_encoders import save_encoder, save_tokenizer
from tests.typed import Reader, lay_out

DOCS = ROOT / "docs"
#: Guides whose reader has more than the usual files; each has a test of its own below.
SPECIAL = ("kaggle", "fine-tuned-weights")
#: Pages with commands that other test files run.
ELSEWHERE: dict[str, str] = {"job-arrays": "tests/test_job_arrays.py"}
LANGUAGES = (*SHELL, "python")


def typed_pages() -> list[Path]:
    """Every page of ``docs/`` with something to type that this file's first test runs."""
    return [
        page
        for page in pages()
        if page.is_relative_to(DOCS) and page.stem not in {*SPECIAL, *ELSEWHERE}
        if code_blocks(page, *LANGUAGES)
    ]


@pytest.fixture
def desk(tmp_path: Path, tiny_roberta: Path) -> Path:
    """A folder with the usual files, and a second encoder."""
    lay_out(tmp_path)
    save_tokenizer(tmp_path / "other-encoder")
    save_encoder(tmp_path / "other-encoder", "bert")
    save_sentence_folder(tmp_path / "sentence-encoder", prompts={"query": "query: "})
    return tmp_path


def follow(reader: Reader, blocks: list[CodeBlock], desk: Path, **environment: str) -> None:
    """Type blocks one after the other."""
    assert blocks
    for block in blocks:
        types = reader.runs if block.language == "python" else reader.types
        result = types(block.text, desk, **environment)
        assert result.returncode == 0, f"{block.text}\n{result.stdout}\n{result.stderr}"


def column(path: Path, name: str) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


@pytest.mark.parametrize("page", typed_pages(), ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, desk: Path, reader: Reader) -> None:
    follow(reader, code_blocks(page, *LANGUAGES), desk)
    for named in desk.glob("*predictions.csv"):
        assert np.isfinite(np.array(column(named, "target"), float)).all()


def test_a_kaggle_submission_from_a_notebook_without_a_network(desk: Path, reader: Reader) -> None:
    home, notebook = desk / "home", desk / "kaggle" / "working"
    home.mkdir()
    notebook.mkdir(parents=True)
    lay_out(home)
    blocks = code_blocks(DOCS / "guides" / "kaggle.md", *LANGUAGES)
    there = [block for block in blocks if block.heading == "In the notebook"]
    follow(reader, [block for block in blocks if block not in there], home)

    # The dataset arrives read-only, and nothing of home is left: no bank, no hub's cache.
    inputs = desk / "kaggle" / "input"
    shutil.move(home / "readability", inputs / "readability")
    (inputs / "competition").mkdir()
    shutil.copy(home / "test.csv", inputs / "competition" / "test.csv")
    ids = column(home / "test.csv", "id")
    sample = "".join(f"{id},0\n" for id in reversed(ids))
    (inputs / "competition" / "sample_submission.csv").write_text(f"id,target\n{sample}")
    shutil.rmtree(home)
    before = {path: path.stat().st_mtime_ns for path in inputs.rglob("*")}
    for path in [*before, inputs]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    (desk / "empty").mkdir()
    try:
        refused = reader.types("touch ../input/readability/roberta.bank/x", notebook)
        assert refused.returncode, "the inputs are not read-only: run the tests as a user"
        follow(reader, there, notebook, HF_HUB_CACHE=str(desk / "empty"), HF_HUB_OFFLINE="1")
    finally:
        for path in [*before, inputs]:
            path.chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in inputs.rglob("*")} == before

    lines = (notebook / "submission.csv").read_text().splitlines()
    assert lines[0] == "id,target"
    assert column(notebook / "submission.csv", "id") == ids[::-1]
    predicted = np.array(column(notebook / "submission.csv", "target"), float)[::-1]
    again = np.array(column(notebook / "again.csv", "target"), float)
    np.testing.assert_allclose(predicted, again, rtol=1e-5)
    texts = column(inputs / "competition" / "test.csv", "excerpt")
    run = load_run(inputs / "readability" / "run")
    # Another process may encode in other batches, and rounds otherwise then.
    predicted = run.predict(texts, notebook / "another.bank")
    np.testing.assert_allclose(predicted, again, rtol=1e-5)
    assert not Bank.open(inputs / "readability" / "roberta.bank").contains(texts).any()


def save_tuned(encoder: Path, path: Path, seed: int) -> Any:
    """What training leaves: a state dict with a head, the encoder in it; gives the encoder."""
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(encoder).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape)
    state = {f"model.roberta.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({**state, "head.weight": torch.ones(1, 64), "head.bias": torch.ones(1)}, path)
    return model


def last_means(model: Any, tokenizer: Any, texts: list[str]) -> np.ndarray:
    """``mean[-1]`` the plain way, one text at a time."""
    import torch

    rows = []
    for text in texts:
        inputs = tokenizer(text, truncation=True, max_length=512, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        with torch.no_grad():
            rows.append(model(**inputs).last_hidden_state[0].mean(0).numpy())
    return np.stack(rows)


def test_fine_tuned_weights_from_extraction_to_predictions(
    desk: Path, reader: Reader, tiny_roberta: Path
) -> None:
    from transformers import AutoTokenizer

    tuned = {
        name: save_tuned(tiny_roberta, desk / f"{name}.bin", seed)
        for seed, name in enumerate(("tuned", "tuned-0", "tuned-1", "tuned-2"))
    }
    follow(reader, code_blocks(DOCS / "guides" / "fine-tuned-weights.md", *LANGUAGES), desk)
    tokenizer = AutoTokenizer.from_pretrained(tiny_roberta)
    tolerance = 0.05 * np.std([float(value) for value in column(desk / "train.csv", "target")])

    # New texts went through the tuned weights: the model on their plain means says the same.
    (model,) = load_run(desk / "tuned-run").chosen()
    for table, written in (("test", "predictions"), ("more", "more-predictions")):
        X = last_means(tuned["tuned"], tokenizer, column(desk / f"{table}.csv", "excerpt"))
        got = np.array(column(desk / f"{written}.csv", "standard_error"), float)
        np.testing.assert_allclose(got, model.fitted.predict(X), atol=tolerance)

    # And for one encoder a fold, the mean of each fold's model on its own encoder's features.
    (model,) = load_run(desk / "folds-run").chosen()
    texts = column(desk / "test.csv", "excerpt")
    X = np.hstack([last_means(tuned[f"tuned-{fold}"], tokenizer, texts) for fold in range(3)])
    got = np.array(column(desk / "folds-predictions.csv", "target"), float)
    np.testing.assert_allclose(got, model.fitted.predict(X), atol=tolerance)
    other = np.hstack([last_means(tuned["tuned"], tokenizer, texts)] * 3)
    assert np.abs(got - model.fitted.predict(other)).max() > 4 * tolerance

    # The folds are those of the file, and another file of weights is refused.
    assert column(desk / "folds-run" / "oof.csv", "fold") == column(desk / "train.csv", "fold")
    swapped = (
        "layerbank predict tuned-run other.csv --text passage --out none.csv "
        "--encoder roberta-base --encoder-weights tuned-0.bin"
    )
    result = reader.types(swapped, desk)
    assert result.returncode == 2, result.stdout
    assert "set-up (weights: " in result.stderr
