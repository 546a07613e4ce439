"""Writes a golden bank of the current format version; run once for each version, then never again.

    python -m tests.features.disk.golden.make

A test opens ``version-<n>`` for ever and finds the numbers in ``expected.json``, which are plain
arithmetic and depend on nothing here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from features import Bank, text_keys
from features.disk.format import VERSION

SETUP = {
    "weights": "0" * 64,
    "config": {"hidden_act": "gelu"},
    "tokenizer": "1" * 64,
    "max_length": 512,
    "long": "truncate",
    "stride": None,
    "precision": "bf16",
    "poolings": ["cls", "mean"],
    "pooler": True,
    "n_layers": 2,
    "hidden_size": 3,
}
#: The third goes to a float32 segment: it holds a number that no float16 can.
TEXTS = ["a text", ["a prompt", "an essay"], "a large one", "🙂"]


def main() -> None:
    folder = Path(__file__).parent / f"version-{VERSION}"
    bank = Bank.create(folder, SETUP, {"encoder": "golden", "revision": None})
    blocks = (np.arange(4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3) - 30) / 8
    blocks[2, 1, 1] = 70_000.125
    texts = [text if isinstance(text, str) else tuple(text) for text in TEXTS]
    n_tokens, truncated = np.array([4, 9, 512, 3], np.int32), np.array([0, 0, 1, 0], bool)
    with bank.writer({"engine": "golden"}) as writer:
        writer.add(text_keys(texts), n_tokens, truncated, blocks)
    expected = {
        "texts": TEXTS,
        "fingerprint": bank.fingerprint,
        "n_tokens": n_tokens.tolist(),
        "truncated": truncated.tolist(),
        "*[:]+pooler": blocks.reshape(4, -1).tolist(),
        "mean[-1]": blocks[:, 3].tolist(),
        "avg(cls[:])": blocks[:, :2].mean(axis=1, dtype=np.float64).tolist(),
    }
    path = Path(__file__).parent / f"version-{VERSION}.json"
    path.write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
