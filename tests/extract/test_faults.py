"""Checkpoints that cannot serve, memory that runs out, runs that are stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extract import extract
from extract.engines.encoder import DeviceFailed
from extract.engines.openvino_engine import OpenVinoEncoder
from extract.engines.torch_engine import AHEAD, TorchEncoder, refuse_device
from extract.report import folder_bytes
from extract.texts.stream import NewTexts
from features import Bank
from features.errors import CommitError, EncoderError, InputError
from tests.extract.plain import banked_blocks
from tests.tiny_encoders import save_encoder, save_tokenizer

TEXTS = [f"the {word} river froze in January" for word in ("wide", "old", "cold", "blue", "far")]


def without_pooler(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    state = load_file(path)
    kept = {name: tensor for name, tensor in state.items() if not name.startswith("pooler")}
    assert len(kept) == len(state) - 2
    save_file(kept, path, metadata={"format": "pt"})


def test_a_pooler_that_the_checkpoint_lacks_is_not_stored(
    encoder: Path, bank: Path, kept_log: pytest.LogCaptureFixture
) -> None:
    without_pooler(encoder)
    extract(TEXTS, bank, encoder=str(encoder))
    opened = Bank.open(bank)
    assert not opened.has_pooler
    assert len(opened.blocks) == 15
    said = [record for record in kept_log.records if "encoder's pooler" in record.message]
    assert [record.levelname for record in said] == ["WARNING"]


def test_a_checkpoint_that_lacks_other_weights_is_refused(encoder: Path, bank: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(encoder / "model.safetensors")
    del state["encoder.layer.2.output.dense.weight"]
    save_file(state, encoder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"lacks 1 weights.*encoder\.layer\.2\.output"):
        extract(TEXTS, bank, encoder=str(encoder))
    assert not bank.exists()


def test_a_decoder_only_model_is_refused(tmp_path: Path, bank: Path) -> None:
    folder = save_encoder(save_tokenizer(tmp_path / "gpt2"), "gpt2")
    with pytest.raises(EncoderError, match="decoder-only"):
        extract(TEXTS, bank, encoder=str(folder))
    assert not bank.exists()


def test_numbers_that_are_not_finite_are_refused(encoder: Path, bank: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(encoder / "model.safetensors")
    state["encoder.layer.1.output.LayerNorm.weight"] *= 1e5
    save_file(state, encoder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"text 1 \('the wide river .*fp32"):
        extract(TEXTS[:1], bank, encoder=str(encoder), precision="fp16")


def out_of_memory_beyond(limit: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make batches of more tokens fail as on a GPU; the sizes of those that were tried."""
    import torch

    tried: list[int] = []
    submit = TorchEncoder._submit

    def limited(self: TorchEncoder, batch: Any) -> Any:
        tried.append(batch.ids.size)
        if batch.ids.size > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return submit(self, batch)

    monkeypatch.setattr(TorchEncoder, "_submit", limited)
    monkeypatch.setattr("extract.engines.openvino_engine.is_installed", lambda: False)
    return tried


@pytest.mark.parametrize("ahead", [0, 2])
def test_out_of_memory_halves_the_budget_and_loses_nothing(
    ahead: int,
    encoder: Path,
    bank: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept_log: pytest.LogCaptureFixture,
) -> None:
    texts = [" ".join(["word"] * n) for n in range(1, 60)]
    whole = bank.with_name("whole.bank")
    extract(texts, whole, encoder=str(encoder), precision="fp32")
    tried = out_of_memory_beyond(150, monkeypatch)
    monkeypatch.setitem(AHEAD, "cpu", ahead)
    extract(texts, bank, encoder=str(encoder), precision="fp32", batch_tokens=1000)
    np.testing.assert_allclose(
        banked_blocks(bank, texts), banked_blocks(whole, texts), rtol=1e-4, atol=1e-4
    )
    assert sum(size > 150 for size in tried) == 3
    said = [record for record in kept_log.records if "out of memory" in record.message]
    assert [record.message for record in said] == [
        "out of memory at 840 tokens a batch: going on with 420, and half of that again when need "
        "be (--batch-tokens sets it from the start)"
    ]


def test_a_bank_that_cannot_be_written_to_is_refused_before_all_work(
    encoder: Path, bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(TEXTS[:1], bank, encoder=str(encoder))
    # Whoever runs the tests as root may write anywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != bank)
    monkeypatch.setattr("extract.worker.load", None)
    with pytest.raises(InputError, match="cannot be written to: make it writable, or give"):
        extract(TEXTS, bank)
    assert Bank.open(bank).n_texts == 1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB.", "does not fit into the memory of cuda"),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling", "does not fit into the memory"),
        ("CUDA error: no kernel image is available\nCompile with", r"cuda failed \(CUDA error: no "
         r"kernel image is available\): the same call goes on"),
    ],
)  # fmt: skip
def test_a_device_is_not_mistaken_for_the_encoder(said: str, message: str) -> None:
    import torch

    with pytest.raises(DeviceFailed, match=message):
        refuse_device(RuntimeError(said), torch.device("cuda"))
    refuse_device(RuntimeError("expected scalar type Float"), torch.device("cuda"))


def test_no_room_for_the_encoder_is_one_sentence(
    encoder: Path, bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(EncoderError, match="does not fit into the memory of cpu"):
        extract(TEXTS, bank, encoder=str(encoder), engine="torch", device="cpu")
    assert not bank.exists()


def test_a_checkpoint_does_not_choose_its_attention_code(encoder: Path, bank: Path) -> None:
    config = json.loads((encoder / "config.json").read_text())
    config["attn_implementation"] = "somebody/some-kernel"
    (encoder / "config.json").write_text(json.dumps(config))
    extract(TEXTS, bank, encoder=str(encoder), engine="torch", device="cpu")
    assert Bank.open(bank).n_texts == len(TEXTS)


class Overfull:
    """An OpenVINO request that finds no memory, which shows when one waits for it."""

    def __init__(self, request: Any) -> None:
        self._request = request

    def wait(self) -> None:
        self._request.wait()
        raise RuntimeError("Exception from src/inference: std::bad_alloc")


def test_out_of_memory_that_shows_late_loses_nothing(
    encoder: Path, bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    texts = [" ".join(["word"] * n) for n in range(1, 60)]
    whole = bank.with_name("whole.bank")
    extract(texts, whole, encoder=str(encoder), precision="fp32")
    submit, tried = OpenVinoEncoder.submit, []

    def limited(self: OpenVinoEncoder, batch: Any) -> Any:
        tried.append(batch.ids.size)
        running = submit(self, batch)
        if batch.ids.size <= 150:
            return running
        return replace(running, request=Overfull(running.request))

    monkeypatch.setattr(OpenVinoEncoder, "submit", limited)
    report = extract(texts, bank, encoder=str(encoder), precision="fp32", batch_tokens=1000)
    assert max(tried) > 500
    assert report.n_new == Bank.open(bank).n_texts == len(texts)
    np.testing.assert_allclose(
        banked_blocks(bank, texts), banked_blocks(whole, texts), rtol=1e-4, atol=1e-4
    )


def test_a_text_that_does_not_fit_alone_is_an_error(
    encoder: Path, bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_memory_beyond(20, monkeypatch)
    with pytest.raises(EncoderError, match=r"single text of \d+ tokens does not fit"):
        extract(["a", "word " * 100], bank, encoder=str(encoder))


@pytest.mark.parametrize(("ahead", "safe"), [(0, 3), (2, 1)])
def test_ctrl_c_keeps_what_is_done(
    ahead: int,
    safe: int,
    encoder: Path,
    bank: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept_log: pytest.LogCaptureFixture,
) -> None:
    submit = TorchEncoder._submit
    calls: list[int] = []

    def interrupted(self: TorchEncoder, batch: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return submit(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(TorchEncoder, "_submit", interrupted)
        patch.setitem(AHEAD, "cpu", ahead)
        with pytest.raises(KeyboardInterrupt):
            extract(TEXTS, bank, encoder=str(encoder), batch_tokens=1, engine="torch")
    assert any(f"{safe} new texts are safe" in record.message for record in kept_log.records)
    # Three were submitted, of which as many as `ahead` were still under way.
    assert Bank.open(bank).n_texts == safe
    assert extract(TEXTS, bank).n_new == 5 - safe


def test_a_source_that_fails_keeps_what_is_done(
    encoder: Path, bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.pipeline.NewTexts", partial(NewTexts, size=2))

    def source() -> Iterator[str]:
        yield from TEXTS
        yield from TEXTS[:3]
        raise InputError("the file ends in the middle")

    with pytest.raises(InputError, match="in the middle"):
        extract(source(), bank, encoder=str(encoder))
    assert 2 <= Bank.open(bank).n_texts <= 5


def test_a_file_that_another_writer_renames_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "segment-1.h5").write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    entries = [*tmp_path.iterdir(), tmp_path / ".writing-gone"]
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(entries))
    monkeypatch.setattr(Path, "is_file", lambda entry: True)  # as it was a moment before
    assert folder_bytes(tmp_path) == 5


def test_a_failure_to_write_ends_the_run(
    encoder: Path, bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.disk.writer import BankWriter

    def full(self: BankWriter, *rows: Any) -> None:
        raise CommitError("no space left on device")

    monkeypatch.setattr(BankWriter, "add", full)
    # More batches than may wait: a dead writer must not leave the encoder waiting for room.
    with pytest.raises(CommitError, match="no space left"):
        extract([f"text {i}" for i in range(20)], bank, encoder=str(encoder), batch_tokens=1)
