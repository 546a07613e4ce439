"""Extraction against its peers: texts a second, as ratios within one run.

    python benchmarks/extract.py [--texts 64] [--rounds 3] [--encoder FOLDER]

Every mode runs in a process of its own, in turn, ``--rounds`` times; start-up (loading, tracing,
one small batch) is timed apart. The encoder is a RoBERTa-base with random weights unless a folder
is given: speed does not depend on the weights. Texts have the lengths of the CommonLit excerpts
(mean 217 tokens, at most 256). Our modes give 13 layers × 3 poolings in a bank on disk, the peers
one vector of the last layer. Modes that cannot run here are named with the reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from statistics import median

import numpy as np

OURS = {
    "layerbank fp32, OpenVINO": ("fp32", "openvino"),
    "layerbank bf16, OpenVINO": ("bf16", "openvino"),
    "layerbank fp32, PyTorch": ("fp32", "torch"),
    "layerbank bf16, PyTorch": ("bf16", "torch"),
}
PEERS = {
    "sentence-transformers fp32": ("float32", "torch"),
    "sentence-transformers bf16": ("bfloat16", "torch"),
    "sentence-transformers OpenVINO": ("float32", "openvino"),
}
PEAK = "bf16 matmul peak"
#: (mode, against, at least)
TARGETS = [
    ("layerbank fp32, OpenVINO", "sentence-transformers fp32", 2.9),
    ("layerbank bf16, OpenVINO", "sentence-transformers fp32", 5.8),
    ("layerbank bf16, OpenVINO", "sentence-transformers bf16", 1.9),
    ("layerbank bf16, OpenVINO", "sentence-transformers OpenVINO", 1.2),
    ("layerbank bf16, OpenVINO", PEAK, 0.8),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--mode", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mode:
        print(json.dumps(measure(options.mode, options.encoder, options.texts)))
        return
    with tempfile.TemporaryDirectory() as folder:
        encoder = options.encoder or random_roberta_base(Path(folder) / "roberta-base")
        report(run_all(encoder, options.texts, options.rounds), options.rounds)


def run_all(encoder: Path, n_texts: int, rounds: int) -> dict[str, list[dict[str, float]] | str]:
    """Each mode's measurements, or why it could not run."""
    results: dict[str, list[dict[str, float]] | str] = {}
    for _ in range(rounds):
        for mode in [*OURS, *PEERS, PEAK]:
            if isinstance(results.get(mode), str):
                continue
            arguments = ["--mode", mode, "--encoder", str(encoder), "--texts", str(n_texts)]
            # -P: this file's folder must not come first, or it would be taken for the package.
            done = subprocess.run(
                [sys.executable, "-P", __file__, *arguments],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                results[mode] = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                continue
            found = results.setdefault(mode, [])
            assert isinstance(found, list)
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{mode}: {found[-1]}", file=sys.stderr)
    return results


def measure(mode: str, encoder: Path, n_texts: int) -> dict[str, float]:
    """One mode, in this process: seconds of start-up, texts a second."""
    if mode == PEAK:
        return {"startup": 0.0, "rate": matmul_peak() / FLOP_A_TEXT}
    texts = made_up_texts(encoder, n_texts + 4)
    began = time.perf_counter()
    run = ours(*OURS[mode], encoder) if mode in OURS else peer(*PEERS[mode], encoder)
    run(texts[:4])
    startup = time.perf_counter() - began
    began = time.perf_counter()
    run(texts[4:])
    return {"startup": startup, "rate": n_texts / (time.perf_counter() - began)}


#: 85 million weights of the blocks and attention over 217 tokens: multiplications and additions.
FLOP_A_TEXT = 2 * 85.05e6 * 217 + 12 * 4 * 768 * 217**2


def ours(precision: str, engine: str, encoder: Path) -> Callable[[list[str]], object]:
    """Texts into a bank on disk, start to end, with the encoder kept loaded."""
    from extract import pipeline

    folder = Path(tempfile.mkdtemp())
    load, loaded = pipeline.load_encoder, {}

    def load_once(*arguments: object) -> object:
        if "encoder" not in loaded:
            loaded["encoder"] = load(*arguments)
        return loaded["encoder"]

    pipeline.load_encoder = load_once
    return lambda texts: pipeline.extract(
        texts, folder / "a.bank", encoder=str(encoder), precision=precision, engine=engine,
        device="cpu",
    )  # fmt: skip


def peer(dtype: str, backend: str, encoder: Path) -> Callable[[list[str]], object]:
    """The last layer's mean from sentence-transformers, texts sorted as it does itself."""
    import torch
    from sentence_transformers import SentenceTransformer, models

    if backend == "openvino":
        model = SentenceTransformer(str(encoder), backend="openvino", device="cpu")
    else:
        arguments = {"torch_dtype": getattr(torch, dtype)}
        transformer = models.Transformer(str(encoder), model_args=arguments)
        pooling = models.Pooling(transformer.get_word_embedding_dimension())
        model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    model.max_seq_length = 256
    return lambda texts: model.encode(texts, batch_size=32, show_progress_bar=False)


def matmul_peak() -> float:
    """FLOP a second of this machine's bf16 matrix product, the best of several shapes."""
    import torch

    best = 0.0
    for rows, inner, columns in [(4096, 768, 3072), (4096, 3072, 768), (2048, 2048, 2048)]:
        a, b = torch.randn(rows, inner).bfloat16(), torch.randn(inner, columns).bfloat16()
        for _ in range(8):
            began = time.perf_counter()
            torch.mm(a, b)
            best = max(best, 2 * rows * inner * columns / (time.perf_counter() - began))
    return best


def random_roberta_base(folder: Path) -> Path:
    """A RoBERTa-base with random weights and a byte-level tokenizer trained on the sample."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizerFast

    torch.manual_seed(0)
    config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
    RobertaModel(config).save_pretrained(folder)
    bpe = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator(sample_words(), vocab_size=5000, special_tokens=special)
    bpe.save(str(folder / "bpe.json"))
    tokenizer = RobertaTokenizerFast(tokenizer_file=str(folder / "bpe.json"), model_max_length=512)
    tokenizer.save_pretrained(folder)
    return folder


def sample_words() -> list[str]:
    """Words of the bundled passages."""
    text = (resources.files("features.sample") / "passages.csv").read_text(encoding="utf-8")
    return text.split()


def made_up_texts(encoder: Path, n: int) -> list[str]:
    """Texts of 217 tokens on average, at most 256, words drawn from the bundled passages."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder)
    words, generator, texts = np.array(sample_words()), np.random.default_rng(0), []
    for length in np.clip(generator.normal(217, 25, n), 120, 256).astype(int):
        ids = tokenizer(" ".join(generator.choice(words, 256)))["input_ids"][1 : length - 1]
        texts.append(tokenizer.decode(ids))
    return texts


def report(results: dict[str, list[dict[str, float]] | str], rounds: int) -> None:
    """The tables, as Markdown."""
    ran = {mode: found for mode, found in results.items() if isinstance(found, list)}
    rates = {mode: median(one["rate"] for one in found) for mode, found in ran.items()}
    print(f"\nmedian of {rounds} rounds, each mode in a process of its own, in turn\n")
    print("| mode | texts/s | spread | start-up, s |\n|---|---|---|---|")
    for mode, found in ran.items():
        several = [one["rate"] for one in found]
        startup = median(one["startup"] for one in found)
        spread = f"{min(several):.1f} to {max(several):.1f}"
        print(f"| {mode} | {rates[mode]:.1f} | {spread} | {startup:.1f} |")
    print("\n| mode | against | ratio | at least |\n|---|---|---|---|")
    for mode, against, least in TARGETS:
        if mode in rates and against in rates:
            print(f"| {mode} | {against} | {rates[mode] / rates[against]:.2f} | {least} |")
    for mode, reason in results.items():
        if isinstance(reason, str):
            print(f"\nnot run: {mode} ({reason})")


if __name__ == "__main__":
    main()
