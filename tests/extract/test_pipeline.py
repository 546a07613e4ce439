"""Resuming, refusing, running out of memory, being stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from extract import extract
from extract.engines.torch_engine import TorchEncoder
from extract.texts.stream import NewTexts
from features import Bank
from features.errors import EncoderError, FingerprintMismatch, InputError
from tests.extract.plain import banked_blocks
from tests.tiny_encoders import save_encoder, save_tokenizer

TEXTS = [f"the {word} river froze in January" for word in ("wide", "old", "cold", "blue", "far")]


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of texts in each batch that reaches the forward pass."""
    sizes: list[int] = []
    submit = TorchEncoder._submit

    def counting(self: TorchEncoder, batch: Any) -> Any:
        sizes.append(len(batch.ids))
        return submit(self, batch)

    monkeypatch.setattr(TorchEncoder, "_submit", counting)
    monkeypatch.setattr("extract.engines.openvino_engine.is_installed", lambda: False)
    return sizes


def test_only_what_the_bank_lacks_is_encoded(encoder: Path, bank: Path, passed: list[int]) -> None:
    first = extract(TEXTS[:3], bank, encoder=str(encoder))
    assert (first.n_new, first.n_reused, sum(passed)) == (3, 0, 3)
    second = extract([*TEXTS, TEXTS[0], TEXTS[4]], bank)
    assert (second.n_new, second.n_reused, sum(passed)) == (2, 5, 5)
    third = extract(TEXTS, bank)
    assert (third.n_new, third.n_reused, third.n_tokens, sum(passed)) == (0, 5, 0, 5)
    assert Bank.open(bank).n_texts == 5
    assert third.bank_bytes == sum(path.stat().st_size for path in bank.iterdir())


def test_a_repeat_in_a_later_stretch_is_not_encoded_again(
    encoder: Path, bank: Path, passed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.pipeline.NewTexts", partial(NewTexts, size=2))
    report = extract([*TEXTS, *TEXTS], bank, encoder=str(encoder))
    assert (report.n_new, report.n_reused, sum(passed)) == (5, 5, 5)


def test_without_new_texts_no_torch_is_loaded(encoder: Path, bank: Path) -> None:
    extract(TEXTS, bank, encoder=str(encoder))
    script = (
        "import sys, json; from extract import extract; "
        f"report = extract({TEXTS!r}, {str(bank)!r}, encoder={str(encoder)!r}, precision='auto'); "
        "roots = {name.partition('.')[0] for name in sys.modules}; "
        "heavy = roots & {'torch', 'transformers', 'tokenizers', 'sklearn', 'pandas'}; "
        "print(json.dumps([report.n_new, report.n_reused, sorted(heavy)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [0, 5, []]


def change_one_weight(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("texts", [TEXTS[:2], TEXTS])
def test_other_weights_at_the_same_path_are_refused(
    encoder: Path, bank: Path, texts: list[str]
) -> None:
    extract(TEXTS[:2], bank, encoder=str(encoder))
    change_one_weight(encoder)
    with pytest.raises(FingerprintMismatch, match="weights") as caught:
        extract(texts, bank)
    assert caught.value.fields == ("weights",)


def test_options_not_given_are_the_banks_own(encoder: Path, bank: Path) -> None:
    extract(
        TEXTS[:1], bank, encoder=str(encoder), poolings=["max", "cls"], max_length=9,
        precision="bf16",
    )  # fmt: skip
    extract(TEXTS, bank)
    extract(TEXTS, bank, precision="auto")
    setup = Bank.open(bank).setup
    assert (setup["poolings"], setup["max_length"], setup["precision"]) == (
        ["cls", "max"], 9, "bf16",
    )  # fmt: skip
    for field, value in [("poolings", ["mean"]), ("max_length", 10), ("precision", "fp32")]:
        with pytest.raises(FingerprintMismatch) as caught:
            extract(TEXTS, bank, **{field: value})  # type: ignore[arg-type]
        assert caught.value.fields == (field,)


def test_a_recorded_setup_is_matched(encoder: Path, bank: Path, tmp_path: Path) -> None:
    extract(TEXTS[:1], bank, encoder=str(encoder), max_length=9, precision="bf16")
    recorded = dict(Bank.open(bank).setup)
    scratch = tmp_path / "scratch.bank"
    extract(TEXTS[1:], scratch, encoder=str(encoder), like=recorded)
    assert Bank.open(scratch).fingerprint == Bank.open(bank).fingerprint
    assert Bank.open(bank, overlay=scratch).contains(TEXTS).all()
    with pytest.raises(FingerprintMismatch, match="max_length") as caught:
        extract(TEXTS, tmp_path / "other.bank", encoder=str(encoder), like=recorded, max_length=8)
    assert caught.value.fields == ("max_length",)
    change_one_weight(encoder)
    with pytest.raises(FingerprintMismatch, match="weights"):
        extract(TEXTS, tmp_path / "other.bank", encoder=str(encoder), like=recorded)
    with pytest.raises(FingerprintMismatch, match="max_length"):
        extract(TEXTS, bank, encoder=str(encoder), like={**recorded, "max_length": 8})
    assert not (tmp_path / "other.bank").exists()


def test_the_banks_own_encoder_has_gone(encoder: Path, bank: Path) -> None:
    extract(TEXTS, bank, encoder=str(encoder))
    moved = encoder.rename(encoder.with_name("moved"))
    with pytest.raises(EncoderError, match="say where with --encoder"):
        extract(TEXTS, bank)
    assert extract(TEXTS, bank, encoder=str(moved)).n_reused == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "fp8"}, "no precision 'fp8': choose from auto, fp32"),
        ({"device": "gpu"}, "no device 'gpu': choose from auto, cpu"),
        ({"device": "cuda:99"}, "no device 'cuda:99' here: choose from auto, cpu"),
        ({"poolings": ["median"]}, "no pooling 'median'"),
        ({"max_length": 0}, "holds no text"),
        ({"max_length": 513}, "at most 512 tokens.*--max-length 512"),
        ({"max_length": 2}, "--max-length 3"),
        ({"batch_tokens": 0}, "--batch-tokens"),
        ({"max_length": "10"}, "max_length takes a whole number, not '10': give one"),
        ({"max_length": 10.5}, "max_length takes a whole number, not 10.5"),
        ({"long": "window", "stride": 2.5}, "stride takes a whole number, not 2.5"),
        ({"batch_tokens": "1"}, "batch_tokens takes a whole number, not '1'"),
        ({"total": 1.5}, "total takes a whole number, not 1.5"),
        ({"device": 0}, "no device '0': choose from auto, cpu"),
        ({"devices": 0}, "0 is no list of devices: give one such as"),
        ({"shard": 0}, "0 is no shard: give --shard i/n"),
    ],
)
def test_impossible_options(
    tiny_roberta: Path, bank: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        extract(TEXTS, bank, encoder=str(tiny_roberta), **options)
    assert not bank.exists()


def test_weights_of_either_format_grow_one_bank(encoder: Path, bank: Path) -> None:
    import torch
    from safetensors.torch import load_file

    extract(TEXTS[:2], bank, encoder=str(encoder), precision="fp32")
    before = banked_blocks(bank, TEXTS[:2])
    torch.save(load_file(encoder / "model.safetensors"), encoder / "pytorch_model.bin")
    (encoder / "model.safetensors").unlink()
    extract(TEXTS, bank)
    other = bank.with_name("other.bank")
    extract(TEXTS[:2], other, encoder=str(encoder), precision="fp32")
    np.testing.assert_allclose(banked_blocks(other, TEXTS[:2]), before, rtol=1e-4, atol=1e-5)
    assert Bank.open(bank).fingerprint == Bank.open(other).fingerprint


def test_a_checkpoint_in_half_precision_is_computed_in_the_one_asked_for(
    tmp_path: Path, bank: Path
) -> None:
    import torch
    from transformers import AutoModel

    folder = save_encoder(save_tokenizer(tmp_path / "bert"), "bert")
    AutoModel.from_pretrained(folder).to(torch.bfloat16).save_pretrained(folder)
    extract(TEXTS, bank, encoder=str(folder), precision="fp32")
    values = banked_blocks(bank, TEXTS)
    rounded = torch.tensor(values).to(torch.bfloat16).double().numpy()
    assert (values != rounded).mean() > 0.9


def test_a_device_may_be_torchs_own_and_an_encoder_a_path(tiny_roberta: Path, bank: Path) -> None:
    import torch

    report = extract(TEXTS, bank, encoder=tiny_roberta, device=torch.device("cpu"))
    assert report.n_new == 5


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "'one text' is one text and no list of texts: give a list of strings"),
        (b"one text", "b'one text' is one text and no list"),
        ({"a": "one text"}, r"a dict gives its keys and not its texts: give .*values\(\)"),
        (
            pd.DataFrame({"a": TEXTS, "b": TEXTS}),
            r"gives its columns .* as df\[\"text\"\]",
        ),
        (pa.table({"a": TEXTS, "b": TEXTS}), "a Table gives its columns"),
    ],
)
def test_what_is_no_list_of_texts(tiny_roberta: Path, bank: Path, texts: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        extract(texts, bank, encoder=str(tiny_roberta))
    assert not bank.exists()


def test_a_column_is_a_list_of_texts(tiny_roberta: Path, bank: Path) -> None:
    column = pd.Series(TEXTS, index=["columns", "b", "c", "d", "e"])
    assert extract(column, bank, encoder=str(tiny_roberta)).n_new == 5
    for texts in (
        np.array(TEXTS), np.array(TEXTS)[:, None], pd.DataFrame({"a": TEXTS}), pl.Series(TEXTS),
        pa.chunked_array([TEXTS]), iter(TEXTS), {*TEXTS},
        datasets.Dataset.from_dict({"a": TEXTS})["a"],
    ):  # fmt: skip
        assert extract(texts, bank, progress=True).n_reused == 5
    with pytest.raises(InputError, match="text 2 is no string but dict, a row with the names"):
        extract(iter(["a", {"text": "b"}]), bank)


def test_no_texts(tiny_roberta: Path, bank: Path) -> None:
    with pytest.raises(InputError, match="no texts"):
        extract([], bank, encoder=str(tiny_roberta))
    extract(TEXTS, bank, encoder=str(tiny_roberta))
    assert extract([], bank).n_reused == 0


def test_strange_texts(tiny_roberta: Path, bank: Path) -> None:
    texts = ["\x00", " ", "\u200b", "🦢" * 50, "x" * 100_000, "NA", "nan", "</s>", "a\r\nb"]
    report = extract(texts, bank, encoder=str(tiny_roberta), precision="fp32")
    assert (report.n_new, report.n_truncated) == (9, 1)
    assert np.isfinite(banked_blocks(bank, texts)).all()


def test_provenance_says_what_ran(tiny_roberta: Path, bank: Path) -> None:
    import h5py

    extract(TEXTS, bank, encoder=str(tiny_roberta), device="cpu", engine="torch")
    (segment,) = bank.glob("segment-*.h5")
    with h5py.File(segment) as file:
        provenance = json.loads(file.attrs["provenance"])
    assert provenance["engine"] == "torch"
    assert provenance["device"].startswith("cpu")
    assert {"torch", "transformers", "tokenizers", "began"} <= set(provenance)
