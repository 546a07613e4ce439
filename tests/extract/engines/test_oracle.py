"""Every stored number against the plain forward pass, one text at a time."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from extract import extract
from features import Bank, Text
from tests.extract.plain import banked_blocks, plain_blocks, worst_block, worst_row
from tests.tiny_encoders import CORPUS, FAMILIES, save_encoder, save_tokenizer

WORDS = " ".join(CORPUS).split()


def some_texts(lengths: list[int], seed: int = 0) -> list[str]:
    """Texts of so many words each, all different, in random order."""
    generator = random.Random(seed)
    texts = [" ".join(generator.choices(WORDS, k=n)) for n in lengths]
    generator.shuffle(texts)
    return texts


#: Words to texts from one token to beyond 512; many of like length, some alone.
LENGTHS = [1, 1, 2, 3, 3, 3, 8, 9, 9, 9, 10, 40, 41, 41, 60, 120, 200, 330, 600]

TEXTS: list[Text] = [
    *some_texts(LENGTHS),
    "a literal <pad> and </s>, <mask> or [MASK] in a text",
    "Ünïcödé, 日本語 and 🦢🏽‍♀️ with \t tabs\n\nand lines",
    ("What is asked?", "An answer that is somewhat longer than the question was."),
    ("Summarise:", some_texts([500], 7)[0]),
]


@pytest.fixture(scope="module", params=["minilm_folder", "tiny_roberta"])
def encoder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def expected(encoder: Path) -> np.ndarray:
    return plain_blocks(encoder, TEXTS, pooler=True)


@pytest.mark.parametrize("batch_tokens", [1, 700, 4096, 1_000_000])
def test_fp32_is_the_plain_forward_pass(
    encoder: Path, expected: np.ndarray, batch_tokens: int, tmp_path: Path
) -> None:
    order = random.Random(batch_tokens).sample(range(len(TEXTS)), len(TEXTS))
    report = extract(
        [TEXTS[i] for i in order],
        tmp_path / "a.bank",
        encoder=str(encoder),
        precision="fp32",
        engine="torch",
        batch_tokens=batch_tokens,
    )
    assert report.n_new == len(TEXTS)
    assert worst_row(banked_blocks(tmp_path / "a.bank", TEXTS), expected) <= 1e-5
    bank = Bank.open(tmp_path / "a.bank")
    assert bank.n_tokens(TEXTS).max() == 512
    assert report.n_truncated == bank.truncated(TEXTS).sum() == 2
    assert bank.has_pooler


@pytest.mark.parametrize("batch_tokens", [700, 4096])
def test_bf16_is_near(
    encoder: Path, expected: np.ndarray, batch_tokens: int, tmp_path: Path
) -> None:
    extract(
        TEXTS,
        tmp_path / "a.bank",
        encoder=str(encoder),
        precision="bf16",
        engine="torch",
        batch_tokens=batch_tokens,
    )
    assert worst_block(banked_blocks(tmp_path / "a.bank", TEXTS), expected) <= 2e-2


def test_sentence_transformers_pools_the_last_layer_alike(
    minilm_folder: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        from sentence_transformers.sentence_transformer.modules import Pooling
    except ImportError:  # before version 5.4
        from sentence_transformers.models import Pooling

    texts = some_texts(LENGTHS)
    extract(
        texts, tmp_path / "a.bank", encoder=str(minilm_folder), precision="fp32", engine="torch"
    )
    bank = Bank.open(tmp_path / "a.bank")
    inputs = AutoTokenizer.from_pretrained(minilm_folder)(
        texts, padding=True, truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        states = AutoModel.from_pretrained(minilm_folder)(**inputs).last_hidden_state
    for pooling in ("cls", "mean", "max"):
        theirs = Pooling(states.shape[-1], pooling_mode=pooling)(
            {"token_embeddings": states, "attention_mask": inputs["attention_mask"]}
        )["sentence_embedding"].double()
        ours = bank.matrix(texts, f"{pooling}[-1]", dtype=np.float64)
        assert worst_row(ours, theirs.numpy()) <= 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_stores_its_hidden_states(family: str, tmp_path: Path) -> None:
    folder = save_encoder(save_tokenizer(tmp_path / family), family)
    texts: list[Text] = [*some_texts([1, 2, 5, 5, 20, 21, 90, 600]), ("a pair", "of texts")]
    extract(
        texts,
        tmp_path / "a.bank",
        encoder=str(folder),
        precision="fp32",
        engine="torch",
        batch_tokens=600,
    )
    bank = Bank.open(tmp_path / "a.bank")
    assert (bank.n_layers, bank.hidden_size) == (4, 32)
    assert bank.n_tokens(texts).max() == 512
    expected = plain_blocks(folder, texts, pooler=bank.has_pooler)
    assert worst_row(banked_blocks(tmp_path / "a.bank", texts), expected) <= 1e-5


@pytest.mark.parametrize("family", ["deberta-v2", "t5"])
@pytest.mark.parametrize("engine", ["torch", "auto"])
def test_where_only_distances_count_a_text_may_be_longer(
    family: str, engine: str, tmp_path: Path
) -> None:
    folder = save_encoder(save_tokenizer(tmp_path / family), family)
    texts: list[Text] = some_texts([20, 900])
    bank = tmp_path / "a.bank"
    extract(texts, bank, encoder=str(folder), precision="fp32", engine=engine, max_length=700)
    assert Bank.open(bank).n_tokens(texts).max() == 700
    expected = plain_blocks(folder, texts, max_length=700)
    found = banked_blocks(bank, texts)[:, : expected.shape[1]]
    assert worst_row(found, expected) <= 1e-5


def test_bigbird_has_full_attention_from_the_first_text_on(tmp_path: Path) -> None:
    folder = save_encoder(save_tokenizer(tmp_path / "bigbird"), "bigbird")
    config = folder / "config.json"
    sparse = json.loads(config.read_text())
    assert sparse["attention_type"] == "block_sparse"
    texts: list[Text] = some_texts([400, 300, 2])
    extract(texts, tmp_path / "a.bank", encoder=str(folder), precision="fp32", engine="torch")
    found = banked_blocks(tmp_path / "a.bank", texts)
    sparse_ones = plain_blocks(folder, texts[:1], pooler=True)
    config.write_text(json.dumps(sparse | {"attention_type": "original_full"}))
    expected = plain_blocks(folder, texts, pooler=True)
    assert worst_row(found, expected) <= 1e-5
    assert worst_row(sparse_ones, expected[:1]) > 1e-3, "then this test tells nothing"


def test_a_text_has_one_vector_whatever_stands_beside_it(
    tiny_roberta: Path, tmp_path: Path
) -> None:
    text = some_texts([30], 3)[0]
    alone, among = tmp_path / "alone.bank", tmp_path / "among.bank"
    extract([text], alone, encoder=str(tiny_roberta), precision="fp32", engine="torch")
    neighbours = some_texts([*range(25, 36), 1, 2, 300], 4)
    extract([text, *neighbours], among, encoder=str(tiny_roberta), precision="fp32", engine="torch")
    assert worst_row(banked_blocks(among, [text]), banked_blocks(alone, [text])) <= 1e-5
