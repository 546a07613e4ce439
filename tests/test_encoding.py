"""What `layerbank` hands to the other stages, to encode what a bank lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from features import Bank
from features.errors import EncoderError
from layerbank.encoding import Encoding
from tests.made_up import SETUP


def test_a_strangers_bank_names_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="the encoder that it names is left alone: name it"):
        Encoding(quiet=True)(["a"], tmp_path / "aside.bank", {"setup": SETUP, "source": {}})
    assert not any(tmp_path.iterdir())


def test_what_was_tried_leaves_nothing_and_what_was_done_does(
    tiny_roberta: Path, tmp_path: Path
) -> None:
    encoding, path = Encoding(encoder=str(tiny_roberta), quiet=True), tmp_path / "new.bank"
    assert "of which 2 are new" in encoding.tried(["a text", "another"], path)
    assert not path.exists()
    encoding(["a text", "another", "a text"], path, {})
    assert len(Bank.open(path)) == 2
