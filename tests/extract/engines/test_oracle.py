"""Every stored number against the plain forward pass, one text at a time."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from extract import extract
from features import Bank
from tests.extract.plain import banked_blocks, plain_blocks, worst_block, worst_row
from tests.extract.some_texts import LENGTHS, TEXTS, some_texts


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


def test_a_text_has_one_vector_whatever_stands_beside_it(
    tiny_roberta: Path, tmp_path: Path
) -> None:
    text = some_texts([30], 3)[0]
    alone, among = tmp_path / "alone.bank", tmp_path / "among.bank"
    extract([text], alone, encoder=str(tiny_roberta), precision="fp32", engine="torch")
    neighbours = some_texts([*range(25, 36), 1, 2, 300], 4)
    extract([text, *neighbours], among, encoder=str(tiny_roberta), precision="fp32", engine="torch")
    assert worst_row(banked_blocks(among, [text]), banked_blocks(alone, [text])) <= 1e-5
