"""The encoder that a bank names is taken where this user named it before; elsewhere, --encoder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from extract import extract
from features.console.app import run as run_app
from features.disk.manifest import publish_manifest, read_manifest
from features.errors import EncoderError
from features.upkeep.merge import merge
from layerbank.cli import app
from regress import evaluate
from tests.regress.conftest import saved_without_reports

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
    manifest = read_manifest(bank)
    (bank / "bank.json").unlink()
    source = {**manifest.source, "weights": str(tmp_path / "secret.bin"), "revision": "refs/pr/1"}
    publish_manifest(bank, manifest.setup, source)
    assert json.loads((bank / "bank.json").read_text())["source"] == source
    assert extract(TEXTS, bank, encoder=str(tiny_roberta)).n_new == 1
    with pytest.raises(EncoderError, match="was not made here"):
        extract([*TEXTS, "a third text"], bank)


def test_predicting_on_another_machine(
    tiny_roberta: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As in a notebook without a network: the run and the encoder were uploaded."""
    texts = [f"text {number} of {number % 5}" for number in range(40)]
    bank = tmp_path / "a.bank"
    extract(texts, bank, encoder=str(tiny_roberta), precision="fp32")
    with saved_without_reports():
        run = evaluate(bank, texts, [float(n % 5) for n in range(40)]).save(tmp_path / "run")
    table = tmp_path / "new.csv"
    table.write_text("text\n" + "\n".join([*texts[:3], "never seen"]) + "\n", encoding="utf-8")

    def call(*options: object) -> tuple[int, str]:
        words = ["predict", run, table, "--out", tmp_path / "p.csv", "--force", *options]
        with pytest.raises(SystemExit) as caught:
            run_app(app, [str(word) for word in words])
        return int(caught.value.code or 0), capsys.readouterr().err

    code, err = call("--scratch", tmp_path / "scratch.bank")
    assert code == 0, err
    expected = np.loadtxt(tmp_path / "p.csv", delimiter=",", skiprows=1)
    monkeypatch.setenv("LAYERBANK_CACHE", str(tmp_path / "another-cache"))
    uploaded = shutil.copytree(tiny_roberta, tmp_path / "uploaded")
    code, err = call("--scratch", tmp_path / "b.bank")
    assert code == 2
    assert "so name the encoder with --encoder, or their bank with --bank" in err
    for number, options in enumerate((["--bank", bank], [])):
        scratch = tmp_path / f"scratch-{number}.bank"
        code, err = call("--encoder", uploaded, "--scratch", scratch, *options)
        assert code == 0, err
        found = np.loadtxt(tmp_path / "p.csv", delimiter=",", skiprows=1)
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        assert call("--scratch", scratch, *options)[0] == 0  # all are there
