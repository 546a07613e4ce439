"""Encoders of many families in OpenVINO, or in PyTorch where it does not compute them exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from extract import extract
from tests.extract.plain import banked_blocks, plain_blocks, worst_row
from tests.extract.some_texts import TEXTS
from tests.tiny_encoders import FAMILIES, save_encoder, save_tokenizer

pytest.importorskip("openvino", reason="the extra `openvino` is not installed")


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_are_exact_or_left_to_pytorch(family: str, tmp_path: Path) -> None:
    folder = tmp_path / f"tiny-{family}"
    save_tokenizer(folder)
    save_encoder(folder, family)
    texts = TEXTS[:12]
    extract(texts, tmp_path / "a.bank", encoder=str(folder), precision="fp32", max_length=64)
    expected = plain_blocks(folder, texts, max_length=64)
    found = banked_blocks(tmp_path / "a.bank", texts)[:, : expected.shape[1]]
    assert worst_row(found, expected) <= 1e-5
