"""A bank is not added to with a tokenizer that gives other tokens than the one that began it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from extract import extract
from extract.checkpoint.checkpoint import Checkpoint
from extract.dry_run import dry_run
from extract.options import Options, RunOptions
from extract.plan import prepare
from extract.texts import probe
from extract.texts.members import KEEP
from extract.texts.tokenizer import Tokenizer
from features import Bank
from features.errors import FingerprintMismatch
from features.upkeep.compact import compact
from tests.made_up import add


def fill(bank: Path, encoder: Path, *texts: str, **options: Any) -> None:
    extract(texts, bank, encoder=str(encoder), engine="torch", precision="fp32", **options)


def test_every_segment_records_the_hash(encoder: Path, bank: Path) -> None:
    fill(bank, encoder, "one")
    fill(bank, encoder, "two")
    recorded = [segment.provenance["tokens"] for segment in Bank.open(bank).segments]
    digest = Tokenizer.load(Checkpoint.find(str(encoder)), 512).digest()
    assert recorded == [digest, digest]


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers builds another tokenizer of the same files, as after an upgrade of it."""
    from tokenizers import normalizers

    from extract.texts import loading

    before = loading.load_files

    def load_files(checkpoint: Checkpoint, *, follow: bool) -> loading.Loaded:
        loaded = before(checkpoint, follow=follow)
        loaded.backend.normalizer = normalizers.NFC()
        return loaded

    monkeypatch.setattr("extract.texts.tokenizer.load_files", load_files)


def test_other_tokens_are_refused_before_anything_is_written(
    encoder: Path, bank: Path, request: pytest.FixtureRequest
) -> None:
    fill(bank, encoder, "one")
    request.getfixturevalue("upgrade")
    with pytest.raises(FingerprintMismatch, match="install those versions to add to it") as caught:
        fill(bank, encoder, "two")
    assert caught.value.fields == ("tokens",)
    assert "was written with transformers " in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(FingerprintMismatch):
        plan = prepare(bank, Options(encoder))
        dry_run(plan, ["two"], RunOptions(engine="torch"))
    assert Bank.open(bank).n_texts == 1
    fill(bank, encoder, "one")  # all is there: nothing is asked of the tokenizer


def test_the_hash_is_found_behind_segments_without_one_and_in_compacted_ones(
    encoder: Path, bank: Path, request: pytest.FixtureRequest
) -> None:
    fill(bank, encoder, "one")
    fill(bank, encoder, "two")
    compact(bank)
    setup = dict(Bank.open(bank).setup)
    assert setup["poolings"] == ["cls", "mean", "max"]
    add(Bank.open(bank), ["by an earlier version"])
    assert "tokens" not in Bank.open(bank).segments[-1].provenance
    request.getfixturevalue("upgrade")
    with pytest.raises(FingerprintMismatch):
        fill(bank, encoder, "three")


def test_a_bank_without_hashes_goes_on(
    encoder: Path, bank: Path, request: pytest.FixtureRequest
) -> None:
    fill(bank, encoder, "one")
    there = Bank.open(bank)
    old = Bank.create(bank.with_name("old.bank"), there.setup, there.source)
    add(old, ["by an earlier version"])
    request.getfixturevalue("upgrade")
    fill(old.path, encoder, "two")
    assert Bank.open(old.path).n_texts == 2


def test_several_processes_find_it_too(
    encoder: Path, bank: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The bank says another hash, and each process loads the tokenizer for itself."""
    from features.keys import text_keys

    fill(bank, encoder, "one")
    there = Bank.open(bank)
    blocks = there.matrix(["one"], "*[:]+pooler").reshape(1, -1, there.hidden_size)
    with there.writer({"engine": "made up", "tokens": "0" * 64, "tokenizers": "9.9"}) as writer:
        import numpy as np

        writer.add(text_keys(["else"]), np.array([3], np.int32), np.array([False]), blocks)
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(FingerprintMismatch, match=r"tokenizers 9\.9"),
    ):
        fill(bank, encoder, *(f"text {i}" for i in range(8)), devices="cpu,cpu")


def test_policy_and_added_tokens_are_in_the_hash(encoder: Path) -> None:
    checkpoint = Checkpoint.find(str(encoder))
    usual = Tokenizer.load(checkpoint, 512).digest()
    assert usual == Tokenizer.load(checkpoint, 512).digest()
    assert usual != Tokenizer.load(checkpoint, 512, policy=KEEP).digest()
    content = json.loads((encoder / "tokenizer.json").read_text(encoding="utf-8"))
    content["post_processor"]["pair"][2]["SpecialToken"]["type_id"] = 1
    (encoder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    assert usual != Tokenizer.load(Checkpoint.find(str(encoder)), 512).digest()


def test_the_odd_strings_stay_as_they_are() -> None:
    """Hashes of them are in banks: another list would make every bank refuse to grow."""
    import hashlib

    found = hashlib.sha256(json.dumps(probe.ODD).encode()).hexdigest()
    assert len(probe.ODD) >= 40
    assert found == "4349c704cf1574e583fd07ed53d9d5493391efa9927b26308a84fc6f3f99e207"
