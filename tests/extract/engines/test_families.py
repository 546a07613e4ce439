"""Encoders of many families against the plain forward pass, one text at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from extract import extract
from features import Bank, Text
from tests.extract.plain import banked_blocks, plain_blocks, worst_row
from tests.extract.some_texts import some_texts
from tests.tiny_encoders import FAMILIES, save_encoder, save_tokenizer


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
