"""The encoder that a bank names is taken where this user named it before; elsewhere, --encoder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from extract import extract
from features.errors import EncoderError
from features.upkeep.merge import merge

TEXTS = ["one text", "another text"]


@pytest.fixture
def bank(tiny_roberta: Path, tmp_path: Path) -> Path:
    extract(TEXTS[:1], tmp_path / "a.bank", encoder=str(tiny_roberta), precision="fp32")
    return tmp_path / "a.bank"


def test_a_bank_of_another_needs_its_encoder_named_once(
    bank: Path, tiny_roberta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(TEXTS, shutil.copytree(bank, tmp_path / "copied.bank"))
    monkeypatch.setenv("LAYERBANK_CACHE", str(tmp_path / "another-cache"))
    with pytest.raises(EncoderError, match=r"a\.bank was not made here.* name it with --encoder"):
        extract(TEXTS, bank)
    merged = tmp_path / "merged.bank"
    merge([bank], merged)
    with pytest.raises(EncoderError, match=r"merged\.bank was not made here"):
        extract(TEXTS, merged)
    assert extract(TEXTS, bank, encoder=str(tiny_roberta)).n_new == 1
    assert extract(["a third text"], bank).n_new == 1
    merge([bank], tmp_path / "own.bank")
    assert extract(["a fourth text"], tmp_path / "own.bank").n_new == 1


def test_neither_weights_nor_a_revision_are_taken_from_it(
    bank: Path, tiny_roberta: Path, tmp_path: Path
) -> None:
    """What a stranger adds to bank.json, whose checksum anybody can compute."""
    from features.disk.manifest import Manifest, publish_manifest, read_manifest

    manifest: Manifest = read_manifest(bank)
    (bank / "bank.json").unlink()
    source = {**manifest.source, "weights": str(tmp_path / "secret.bin"), "revision": "refs/pr/1"}
    publish_manifest(bank, manifest.setup, source)
    assert json.loads((bank / "bank.json").read_text())["source"] == source
    assert extract(TEXTS, bank, encoder=str(tiny_roberta)).n_new == 1
    with pytest.raises(EncoderError, match="was not made here"):
        extract([*TEXTS, "a third text"], bank)
