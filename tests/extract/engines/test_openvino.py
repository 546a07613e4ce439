"""The OpenVINO engine against the plain forward pass, and what is kept between calls."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from extract import extract
from extract.engines.encoder import EngineOptions
from extract.engines.load import load_encoder
from features import Bank
from features.disk.cache import cache_folder
from features.errors import InputError
from tests.extract.plain import (
    AGAIN,
    banked_blocks,
    far,
    openvino_computes,
    plain_blocks,
    worst_block,
    worst_row,
)
from tests.extract.some_texts import TEXTS
from tests.pages import ROOT

pytest.importorskip("openvino", reason="the extra `openvino` is not installed")


def graphs() -> list[Path]:
    return sorted((cache_folder() / "graphs").glob("[!.]*"))


@pytest.mark.parametrize("encoder", ["minilm_folder", "tiny_roberta"])
def test_every_block_is_that_of_the_plain_forward_pass(
    encoder: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(encoder)
    expected = plain_blocks(folder, TEXTS, pooler=True)
    for precision in ("fp32", "bf16") if openvino_computes("bf16") else ("fp32",):
        for batch_tokens in (1, 4096):
            bank = tmp_path / f"{precision}-{batch_tokens}.bank"
            extract(
                TEXTS, bank, encoder=str(folder), precision=precision,
                engine="openvino", batch_tokens=batch_tokens,
            )  # fmt: skip
            assert Bank.open(bank).segments[0].provenance["engine"] == "openvino"
            found = banked_blocks(bank, TEXTS)
            if precision == "fp32":
                assert not far(found, expected, 1e-5), f"{batch_tokens} tokens a batch"
            else:
                assert worst_block(found, expected) <= 2e-2


def test_the_second_call_takes_the_kept_graph(tiny_roberta: Path, tmp_path: Path) -> None:
    bank = tmp_path / "a.bank"
    extract(["one"], bank, encoder=str(tiny_roberta), precision="fp32", engine="openvino")
    assert graphs()
    code = (
        "import sys; from extract import extract\n"
        f"extract(['two'], {str(bank)!r}, engine='openvino', device='cpu')\n"
        "print('extract.engines.traced' in sys.modules,"
        " sys.modules['openvino_telemetry'] is not None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    expected = plain_blocks(tiny_roberta, ["one", "two"], pooler=True)
    assert worst_row(banked_blocks(bank, ["one", "two"]), expected) <= 1e-5


def test_no_usage_report_is_sent_even_where_openvino_was_imported_before(
    tiny_roberta: Path, tmp_path: Path
) -> None:
    # Each report is a process forked from ours, which takes longer than the conversion.
    code = (
        "import openvino, openvino_telemetry\n"
        "from openvino_telemetry.utils.sender import TelemetrySender\n"
        "sent = []\n"
        "TelemetrySender.send = lambda self, backend, message: sent.append(message)\n"
        "from extract import extract\n"
        f"extract(['one'], 'a.bank', encoder={str(tiny_roberta)!r}, engine='openvino',"
        " precision='fp32')\n"
        "assert not sent, sent\n"
    )
    environment = {**os.environ, "CI": "", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_damaged_graph_is_made_anew(
    tiny_roberta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERBANK_CACHE", str(tmp_path / "cache"))
    extract(["one"], tmp_path / "a.bank", encoder=str(tiny_roberta), precision="fp32")
    (entry,) = graphs()
    damaged = bytearray((entry / "graph.bin").read_bytes())
    damaged[len(damaged) // 2] ^= 0x40
    (entry / "graph.bin").write_bytes(damaged)
    extract(["one"], tmp_path / "b.bank", encoder=str(tiny_roberta), precision="fp32")
    assert (entry / "graph.bin").read_bytes() != damaged
    found = banked_blocks(tmp_path / "a.bank", ["one"])
    assert worst_row(banked_blocks(tmp_path / "b.bank", ["one"]), found) <= AGAIN


def test_what_a_killed_process_left_is_removed_after_a_day(
    tiny_roberta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERBANK_CACHE", str(tmp_path / "cache"))
    left, under_way = (cache_folder() / "graphs" / name for name in (".new-left", ".new-under-way"))
    for folder in (left, under_way):
        (folder / "entry").mkdir(parents=True)
    a_day_ago = time.time() - 90_000
    os.utime(left, (a_day_ago, a_day_ago))
    options = {"encoder": str(tiny_roberta), "precision": "fp32", "engine": "openvino"}
    extract(["one"], tmp_path / "a.bank", **options)
    assert graphs()
    assert not left.exists()
    assert under_way.exists()


def test_what_it_cannot_run_is_said(tiny_roberta: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fp32 and bf16 on a CPU, not fp16"):
        extract(
            ["one"], tmp_path / "a.bank", encoder=str(tiny_roberta),
            precision="fp16", engine="openvino", device="cpu",
        )  # fmt: skip
    with pytest.raises(InputError, match="no engine 'onnx': choose from auto, torch, openvino"):
        extract(["one"], tmp_path / "a.bank", encoder=str(tiny_roberta), engine="onnx")


def test_auto_takes_pytorch_where_the_graph_would_be_wrong(
    tiny_roberta: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from extract.checkpoint.checkpoint import Checkpoint
    from extract.engines import openvino_engine
    from extract.engines.torch_engine import TorchEncoder

    monkeypatch.setattr(openvino_engine, "TOLERANCE", -1.0)
    monkeypatch.setenv("LAYERBANK_CACHE", str(tiny_roberta.parent / "empty-cache"))
    options = EngineOptions("cpu", "fp32", ("cls",), 512)
    with caplog.at_level(logging.INFO):
        encoder = load_encoder(Checkpoint.find(str(tiny_roberta), None), options)
    assert isinstance(encoder, TorchEncoder)
    assert "running it in PyTorch instead" in caplog.text


def test_auto_takes_pytorch_where_this_cpu_has_no_such_precision(
    tiny_roberta: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # As where ONEDNN_MAX_CPU_ISA holds OpenVINO to less than the CPU could do.
    from extract.checkpoint.checkpoint import Checkpoint
    from extract.engines import openvino_engine
    from extract.engines.torch_engine import TorchEncoder
    from features.errors import EncoderError

    compiled = openvino_engine._compiled

    def only_fp32(model: object, precision: str) -> object:
        if precision != "fp32":
            raise RuntimeError("Exception from somewhere:\nno primitive for Softmax\n\n")
        return compiled(model, precision)

    monkeypatch.setattr(openvino_engine, "_compiled", only_fp32)
    options = EngineOptions("cpu", "bf16", ("cls",), 512)
    checkpoint = Checkpoint.find(str(tiny_roberta), None)
    with caplog.at_level(logging.INFO):
        assert isinstance(load_encoder(checkpoint, options), TorchEncoder)
    assert "in bf16 on this CPU (no primitive for Softmax): running it in PyTorch" in caplog.text
    with pytest.raises(EncoderError, match="cannot run .* in bf16 on this CPU"):
        load_encoder(checkpoint, options, "openvino")
