"""One of our modes, or a bound, measured in this process: used by extraction.py."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

#: precision, engine, device
OURS = {
    "layerbank fp32, OpenVINO": ("fp32", "openvino", "cpu"),
    "layerbank bf16, OpenVINO": ("bf16", "openvino", "cpu"),
    "layerbank fp32, PyTorch": ("fp32", "torch", "cpu"),
    "layerbank bf16, PyTorch": ("bf16", "torch", "cpu"),
    "layerbank bf16, CUDA": ("bf16", "torch", "cuda:0"),
}
CPU, CPU_FP32, GPU = "bf16 matmul peak", "fp32 matmul peak", "bf16 matmul peak, CUDA"
#: dtype, device
PEAKS = {CPU: ("bfloat16", "cpu"), CPU_FP32: ("float32", "cpu"), GPU: ("bfloat16", "cuda:0")}
#: 85 million weights of the blocks and attention over 217 tokens: multiplications and additions.
FLOP_A_TEXT = 2 * 85.05e6 * 217 + 12 * 4 * 768 * 217**2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("--memory", type=int, metavar="TEXTS")
    options = parser.parse_args()
    if options.mode in PEAKS:
        found = {"startup": 0.0, "rate": matmul_peak(*PEAKS[options.mode]) / FLOP_A_TEXT}
    elif options.memory:
        found = peak_memory(options.mode, n=options.memory, **json.load(sys.stdin))
    else:
        found = speed(options.mode, **json.load(sys.stdin))
    print(json.dumps(found))


class Silent:
    """Nobody watches."""

    def expect(self, n_texts: int, n_tokens: int) -> None:
        pass

    def advance(self, n_texts: int, n_tokens: int) -> None:
        pass


def speed(mode: str, folder: str, warm: list[str], texts: list[str]) -> dict[str, float]:
    """Seconds of start-up and for the texts, and which share of them the forward pass leaves.

    Start-up is all that a call does before its first text, and a few texts; then each text goes
    from a string to rows committed to a bank on disk.
    """
    from extract.options import Options, RunOptions
    from extract.plan import prepare
    from extract.texts.stream import NewTexts
    from extract.worker import Worker

    precision, engine, device = OURS[mode]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as banks:
        plan = prepare(Path(banks) / "a.bank", Options(folder, precision=precision), None)
        worker = Worker(plan, RunOptions(device, engine))
        worker.run(NewTexts(warm, worker.bank), Silent())
        startup = time.perf_counter() - began
        began = time.perf_counter()
        worker.run(NewTexts(texts, worker.bank), Silent())
        seconds = time.perf_counter() - began
        assert worker.n_committed == len(warm) + len(texts)
    alone = forward_pass(mode, folder, warm, texts)
    return {"startup": startup, "seconds": seconds, "beside": 1 - alone / seconds}


def forward_pass(mode: str, folder: str, warm: list[str], texts: list[str]) -> float:
    """Seconds of the same batches through the same engine, with no pooling but ``cls``, no bank."""
    from extract.checkpoint.checkpoint import Checkpoint
    from extract.encode import fewest_tokens
    from extract.engines.encoder import EngineOptions
    from extract.engines.load import load_encoder
    from extract.texts.batching import make_batch, plan_batches
    from extract.texts.tokenizer import Tokenizer

    precision, engine, device = OURS[mode]
    checkpoint = Checkpoint.find(folder)
    encoder = load_encoder(checkpoint, EngineOptions(device, precision, ("cls",), 512), engine)
    tokenizer = Tokenizer.load(checkpoint, 512)

    def batches(texts: list[str]) -> list[Any]:
        tokens = tokenizer.encode(texts)
        lengths = np.array([len(text.ids) for text in tokens])
        plan = plan_batches(lengths, encoder.batch_tokens, fewest_tokens(encoder))
        return [make_batch([tokens[i] for i in rows], tokenizer.pad_id) for rows in plan]

    def run(made: list[Any]) -> None:
        under_way: list[Any] = []
        for batch in made:
            under_way.append(encoder.submit(batch))
            if len(under_way) > encoder.ahead:
                under_way.pop(0).result()
        for pending in under_way:
            pending.result()

    run(batches(warm))
    made = batches(texts)
    began = time.perf_counter()
    run(made)
    return time.perf_counter() - began


def peak_memory(mode: str, folder: str, texts: list[str], n: int) -> dict[str, float]:
    """The largest resident memory of this process over n texts, these over and over, in MiB."""
    from extract import extract

    precision, engine, device = OURS[mode]
    numbered = (f"{i} {texts[i % len(texts)]}" for i in range(n))
    with tempfile.TemporaryDirectory() as banks:
        extract(
            numbered, Path(banks) / "a.bank", encoder=folder, precision=precision, engine=engine,
            device=device,
        )  # fmt: skip
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def matmul_peak(dtype: str, device: str) -> float:
    """FLOP a second of the matrix product, through oneDNN on a CPU: the best shape's median."""
    import torch
    from torch import nn

    from extract.engines.onednn import use_onednn

    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    shapes = [(4096, 768, 3072), (4096, 3072, 768), (4096, 768, 768), (2048, 2048, 2048)]
    if device.startswith("cuda"):
        shapes = [(8192, 8192, 8192), (65536, 768, 3072), (65536, 3072, 768)]
    best = 0.0
    for rows, inner, columns in shapes:
        product = nn.Linear(inner, columns, bias=False, device=device, dtype=getattr(torch, dtype))
        if dtype == "float32":
            use_onednn(product)
        a = torch.randn(rows, inner, device=device, dtype=getattr(torch, dtype))
        seconds = []
        for _ in range(25):
            wait()
            began = time.perf_counter()
            with torch.inference_mode():
                product(a)
            wait()
            seconds.append(time.perf_counter() - began)
        best = max(best, 2 * rows * inner * columns / median(seconds))
    return best


if __name__ == "__main__":
    main()
