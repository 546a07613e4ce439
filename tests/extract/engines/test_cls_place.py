"""``cls`` is where the tokenizer's template puts the CLS token, and absent where it puts none."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extract import extract
from extract.checkpoint.checkpoint import Checkpoint
from extract.texts.loading import load_files
from extract.texts.tokenizer import Tokenizer
from features import Bank, Text
from features.disk.manifest import write_manifest
from features.errors import EncoderError, FingerprintMismatch, InputError
from features.upkeep.summary import describe, summary
from tests.extract.plain import banked_blocks, worst_row
from tests.extract.some_texts import some_texts
from tests.piece_models import save_piece_model
from tests.tiny_encoders import save_encoder, save_tokenizer

TEXTS: list[Text] = [*some_texts([1, 4, 9, 30]), ("the river froze", "light bends")]


@pytest.fixture(scope="module")
def xlnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cls") / "xlnet"
    save_piece_model(folder, "xlnet")
    return save_encoder(folder, "xlnet", layers=2)


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cls") / "t5"
    save_piece_model(folder, "t5")
    return save_encoder(folder, "t5", layers=1)


def at(folder: Path, single: str, **tokens: str | None) -> Path:
    """A RoBERTa whose tokenizer has another template for single texts, and other names."""
    save_encoder(save_tokenizer(folder), "roberta", layers=1)
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    content["post_processor"]["single"] = [
        {"Sequence": {"id": "A", "type_id": 0}}
        if word == "$A"
        else {"SpecialToken": {"id": word, "type_id": 0}}
        for word in single.split()
    ]
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config = {name: value for name, value in (config | tokens).items() if value is not None}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("single", "tokens", "place", "member"),
    [
        ("<s> $A </s>", {}, 0, {}),
        ("$A </s> <s>", {}, -1, {"cls": -1}),
        ("$A <s> </s>", {}, -2, {"cls": -2}),
        ("</s> <s> $A </s>", {}, 1, {"cls": 1}),
        ("$A </s>", {}, None, {"cls": "none"}),
        ("<s> $A </s> <s>", {}, 0, {}),
        # A tokenizer that names no CLS token begins a text with its first one all the same.
        ("<s> $A </s>", {"cls_token": None}, 0, {}),
        ("<s> $A </s>", {"cls_token": None, "bos_token": None}, None, {"cls": "none"}),
    ],
)
def test_the_place_is_read_off_the_template(
    tmp_path: Path, single: str, tokens: dict[str, Any], place: int | None, member: dict[str, Any]
) -> None:
    loaded = load_files(Checkpoint.find(str(at(tmp_path / "e", single, **tokens))), follow=True)
    assert (loaded.cls_place, loaded.members()) == (place, member)


@pytest.mark.parametrize("engine", ["torch", "auto"])
@pytest.mark.parametrize(("single", "place"), [("$A </s> <s>", -1), ("</s> <s> $A </s>", 1)])
def test_every_engine_takes_the_token_there(
    tmp_path: Path, single: str, place: int, engine: str
) -> None:
    import torch
    from transformers import AutoModel

    folder, bank = at(tmp_path / "e", single), tmp_path / "a.bank"
    texts: list[Text] = some_texts([1, 2, 7, 30, 600])
    extract(texts, bank, encoder=str(folder), engine=engine, precision="fp32", poolings=["cls"])
    assert Bank.open(bank).setup["cls"] == place
    model: Any = AutoModel.from_pretrained(folder).eval()
    expected = []
    for tokens in Tokenizer.load(Checkpoint.find(str(folder)), 512).encode(texts):
        assert tokens.ids[place] == 0, "cutting off spares it"
        with torch.no_grad():
            ids = torch.tensor(tokens.ids[None].astype(np.int64))
            output = model(input_ids=ids, output_hidden_states=True)
        expected.append(np.stack([state[0, place].numpy() for state in output.hidden_states]))
    assert worst_row(banked_blocks(bank, texts)[:, :2], np.stack(expected)) <= 1e-5


def test_xlnets_cls_is_its_last_token(xlnet: Path, tmp_path: Path) -> None:
    """XLNet pads on the left and the bank on the right: its own numbers, one text at a time."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    bank = tmp_path / "a.bank"
    extract(TEXTS, bank, encoder=str(xlnet), engine="torch", precision="fp32", batch_tokens=200)
    opened = Bank.open(bank)
    assert (opened.setup["cls"], opened.poolings) == (-1, ("cls", "mean", "max"))
    assert "cls is the last token" in summary(describe(bank))
    tokenizer, model = AutoTokenizer.from_pretrained(xlnet), AutoModel.from_pretrained(xlnet).eval()
    rows = []
    for text in TEXTS:
        inputs = tokenizer(*((text,) if isinstance(text, str) else text), return_tensors="pt")
        assert inputs["input_ids"][0, -1] == tokenizer.cls_token_id
        with torch.no_grad():
            states = model(**inputs, output_hidden_states=True).hidden_states
        rows.append(np.stack([state[0, -1].numpy() for state in states]))
    assert worst_row(banked_blocks(bank, TEXTS)[:, :3], np.stack(rows)) <= 1e-5


def test_windows_take_cls_of_the_first(xlnet: Path, tmp_path: Path) -> None:
    from extract.texts.windows import Windows

    text = " ".join(["river"] * 60)
    how: dict[str, Any] = {"encoder": str(xlnet), "engine": "torch", "precision": "fp32",
                           "poolings": ["cls"], "max_length": 32}  # fmt: skip
    extract([text], tmp_path / "w.bank", long="window", stride=15, **how)
    tokenizer = Tokenizer.load(Checkpoint.find(str(xlnet)), 32, stride=15)
    (first, *others) = Windows(32, 15, ("cls",), 3).split(tokenizer.encode([text])[0])
    assert others
    assert first.ids[-1] == others[0].ids[-1] == tokenizer.encode(["a"])[0].ids[-1]
    extract([text], tmp_path / "cut.bank", **how)
    found, cut = (banked_blocks(tmp_path / name, [text]) for name in ("w.bank", "cut.bank"))
    assert worst_row(found, cut) <= 1e-5, "the first window is the text, cut off"


def test_t5_has_no_cls_and_says_why(
    t5: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bank = tmp_path / "a.bank"
    with caplog.at_level(logging.WARNING):
        extract(["one"], bank, encoder=str(t5), engine="torch", precision="fp32")
    assert "puts no CLS token into a text: `cls` is not stored" in caplog.text
    assert Bank.open(bank).poolings == ("mean", "max")
    assert "no cls: " in str(Bank.open(bank).facts()["tokens"])
    assert "no cls: the encoder's tokenizer" in summary(describe(bank))
    extract(["two"], bank, encoder=str(t5), engine="torch")
    assert Bank.open(bank).n_texts == 2


@pytest.mark.parametrize("poolings", [["cls"], ["cls", "mean"]])
def test_cls_cannot_be_asked_for_where_there_is_none(
    t5: Path, tmp_path: Path, poolings: list[str]
) -> None:
    with pytest.raises(InputError, match="puts no CLS token into a text.* leave it out of --pool"):
        extract(["x"], tmp_path / "a.bank", encoder=str(t5), poolings=poolings)
    extract(["x"], tmp_path / "b.bank", encoder=str(t5), engine="torch", poolings=["mean"])
    assert Bank.open(tmp_path / "b.bank").setup["cls"] == "none"


def as_before(bank: Path, **members: Any) -> Path:
    """The bank that an earlier version would have made: without what it did not know."""
    there = Bank.open(bank)
    setup = {name: value for name, value in there.setup.items() if name not in ("cls",)} | members
    write_manifest(bank.with_name("old.bank"), setup, there.source)
    return bank.with_name("old.bank")


def test_an_old_bank_keeps_its_cls_and_says_so(
    xlnet: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    how: dict[str, Any] = {"encoder": str(xlnet), "engine": "torch", "precision": "fp32"}
    extract(["the river froze"], tmp_path / "new.bank", **how)
    old = as_before(tmp_path / "new.bank")
    assert "cls is the first token of a text: tokenizers of this family" in summary(describe(old))
    with caplog.at_level(logging.WARNING):
        extract(["the river froze"], old, **how)
    assert "`cls` of this bank is the first token of a text" in caplog.text
    found = [banked_blocks(path, ["the river froze"]) for path in (old, tmp_path / "new.bank")]
    assert worst_row(found[0][:, 3:], found[1][:, 3:]) <= 1e-6, "mean and max are the same"
    assert worst_row(found[0][:, 1:3], found[1][:, 1:3]) > 1e-2, "cls is not"
    with pytest.raises(FingerprintMismatch) as caught:
        extract(["x"], old, like=dict(Bank.open(tmp_path / "new.bank").setup), **how)
    assert caught.value.fields == ("cls",)
    with pytest.raises(FingerprintMismatch) as caught:
        extract(["x"], tmp_path / "new.bank", like=dict(Bank.open(old).setup), **how)
    assert caught.value.fields == ("cls",)


@pytest.mark.parametrize("place", [-2, 10**9, "first"])
def test_a_place_that_is_not_the_encoders_is_refused(
    xlnet: Path, tmp_path: Path, place: object
) -> None:
    extract(["one"], tmp_path / "new.bank", encoder=str(xlnet), engine="torch", precision="fp32")
    forged = as_before(tmp_path / "new.bank", cls=place)
    with pytest.raises(EncoderError, match="the CLS token of its tokenizer is at -1"):
        extract(["two"], forged, encoder=str(xlnet), engine="torch")
    assert Bank.open(forged).n_texts == 0
