"""What extraction can do beside the fastest encoder: one that costs nothing.

    python -m benchmarks.host                 # a minute or two, 2 GB of disk at a time
    python -m benchmarks.host --texts 100000  # on a machine with many cores

A GPU may encode thousands of texts a second. Here the encoder gives made-up numbers at once, so
that what remains is the host's part: reading, hashing, tokenising and batching, and converting,
hashing, writing, syncing and reading back 40 blocks of 768 numbers for each text. Once without the
writing, and then with one thread for it and with more; texts have the lengths of the CommonLit
excerpts. The writing stands by itself as well. Rows of one round run right after one another.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.encoders import excerpt_lengths, made_up_texts, random_base
from extract import extract
from extract.background import BackgroundWriter
from extract.engines.encoder import Batch, Pooled
from features.bank import Bank
from features.keys import text_keys

LAYERS, HIDDEN, BLOCKS = 13, 768, 40
THREADS = (1, 2, 4)
#: Texts of a batch when nothing but the writing is timed: 65,536 tokens of excerpts.
BATCH = 300


class MadeUp:
    """An encoder of RoBERTa-base's size, on a device that takes no time."""

    n_layers, hidden_size, n_blocks = LAYERS, HIDDEN, BLOCKS
    has_pooler = pads = True
    batch_tokens, ahead = 65_536, 2

    def __init__(self, n_writers: int) -> None:
        self.n_writers = n_writers
        self.provenance: dict[str, Any] = {"engine": "made up"}

    def submit(self, batch: Batch) -> Done:
        """Take a batch."""
        return Done(len(batch.ids))


class Done:
    """A batch of n texts."""

    numbers = np.random.default_rng(0).standard_normal((4096, BLOCKS, HIDDEN), dtype=np.float32)

    def __init__(self, n: int) -> None:
        self.n = n

    def result(self) -> Pooled:
        """Its numbers."""
        return Pooled(self.numbers[: self.n], np.ones(self.n, bool))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the banks are written, then deleted")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        encoder = random_base("roberta-base", folder / "roberta-base")
        some = made_up_texts(encoder, excerpt_lengths(500))
        texts = [f"{i} {some[i % len(some)]}" for i in range(options.texts)]
        rates: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            with mock.patch.object(BackgroundWriter, "add"):
                rates.setdefault("all but writing", []).append(extraction(encoder, texts, 1))
            for n in THREADS:
                label = f"{n} thread{'s' * (n > 1)}"
                rates.setdefault(f"writing alone, {label}", []).append(writing(folder, n, texts))
                rates.setdefault(f"all, {label}", []).append(extraction(encoder, texts, n))
    print(f"{options.texts:,} texts, {options.rounds} rounds, {os.cpu_count()} cores\n")
    print("| the host's part | texts/s, median (lowest to highest) | against one thread |")
    print("|---|---|---|")
    for what, found in sorted(rates.items()):
        alone = rates.get(f"{what.partition(',')[0]}, 1 thread")
        ratio = "" if alone is None else f"{median(found) / median(alone):.2f}"
        print(
            f"| {what} | {median(found):,.0f} ({min(found):,.0f} to {max(found):,.0f}) | {ratio} |"
        )


def extraction(encoder: Path, texts: list[str], n_writers: int) -> float:
    """Texts a second through the whole of stage 1."""

    def load(plan: Any, options: Any) -> tuple[MadeUp, dict[str, Any]]:
        known = {"pooler": True, "n_layers": LAYERS, "hidden_size": HIDDEN}
        return MadeUp(n_writers), {**plan.setup, **known}

    with (
        tempfile.TemporaryDirectory(dir=encoder.parent) as folder,
        mock.patch("extract.worker.load", load),
    ):
        began = time.perf_counter()
        extract(iter(texts), Path(folder) / "a.bank", encoder=encoder, precision="bf16")
        return len(texts) / (time.perf_counter() - began)


def writing(folder: Path, n_threads: int, texts: list[str]) -> float:
    """Texts a second from vectors in memory to segments on disk."""
    setup = {
        "weights": "0" * 64, "config": {}, "tokenizer": "1" * 64, "max_length": 512,
        "long": "truncate", "stride": None, "precision": "bf16", "poolings": ["cls", "mean", "max"],
        "pooler": True, "n_layers": LAYERS, "hidden_size": HIDDEN,
    }  # fmt: skip
    keys = text_keys(texts)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        bank = Bank.create(Path(made) / "a.bank", setup, {"encoder": "made up", "revision": None})
        began = time.perf_counter()
        with BackgroundWriter(partial(bank.writer, {}), 8, n_threads) as writer:
            for start in range(0, len(keys), BATCH):
                some = keys[start : start + BATCH]
                n = len(some)
                writer.add(some, np.full(n, 217), np.zeros(n, bool), Done(n).result().values)
        return len(texts) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
