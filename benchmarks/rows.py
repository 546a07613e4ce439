"""Ridge on many rows, streamed from the bank: seconds and peak memory.

    python -P benchmarks/rows.py [--rows 1000000] [--hidden 384] [--memory GB]

The rows are made up, two layers of one pooling, and stored as bf16 banks store them; nothing but
their number matters. Both layers apart and together are scored, nested, with 5 folds.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from features.bank import Bank
from features.keys import text_keys
from regress import evaluate

SELECT = ["mean[0]", "mean[1]", "mean[:]"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--memory", type=float, help="GB for the matrix, as of `regress`")
    options = parser.parse_args()
    texts = [f"text {number}" for number in range(options.rows)]
    y = np.random.default_rng(0).standard_normal(options.rows)
    with tempfile.TemporaryDirectory() as folder:
        bank = made_up(Path(folder) / "rows.bank", texts, y, options.hidden)
        before = peak()
        began = time.perf_counter()
        memory = None if options.memory is None else int(options.memory * 1e9)
        found = evaluate(bank, texts, y, select=SELECT, models=["ridge"], memory=memory)
        seconds = time.perf_counter() - began
    print(found.table[["select", "rmse", "naive_rmse", "seconds"]].to_string(index=False))
    print(
        f"{options.rows:,} rows: {seconds:.0f} s from bank to scores, peak memory {peak():,.0f} "
        f"MiB, of which {before:,.0f} before"
    )


def made_up(path: Path, texts: list[str], y: np.ndarray, hidden: int) -> Bank:
    """A bank of noise that knows something about the target."""
    setup = {
        "weights": "0" * 64, "config": {}, "tokenizer": "1" * 64, "max_length": 512,
        "long": "truncate", "stride": None, "precision": "bf16", "poolings": ["mean"],
        "pooler": False, "n_layers": 2, "hidden_size": hidden,
    }  # fmt: skip
    bank = Bank.create(path, setup, {"encoder": "made up", "revision": None})
    generator = np.random.default_rng(1)
    with bank.writer({"engine": "made up"}) as writer:
        for start in range(0, len(texts), 8192):
            part = slice(start, min(len(texts), start + 8192))
            n = part.stop - part.start
            X = generator.standard_normal((n, 2, hidden), dtype=np.float32)
            X[:, :, :8] += 0.3 * y[part, None, None].astype(np.float32)
            writer.add(text_keys(texts[part]), np.full(n, 9, np.int32), np.zeros(n, bool), X)
    bank.refresh()
    return bank


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
