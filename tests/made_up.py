"""Banks with made-up numbers: what the bank does is independent of any encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from features import Bank, Text, text_keys

SETUP: dict[str, Any] = {
    "weights": "0" * 64,
    "config": {"hidden_act": "gelu", "num_attention_heads": 2},
    "tokenizer": "1" * 64,
    "max_length": 512,
    "long": "truncate",
    "stride": None,
    "precision": "fp32",
    "poolings": ["cls", "mean", "max"],
    "pooler": True,
    "n_layers": 3,
    "hidden_size": 4,
}
SOURCE = {"encoder": "made-up", "revision": None, "model_type": "roberta"}


def values_of(text: Text, setup: dict[str, Any] = SETUP) -> np.ndarray:
    """What the made-up encoder gives for a text: shape (n_blocks, hidden), from its key alone."""
    n_blocks = len(setup["poolings"]) * setup["n_layers"] + bool(setup["pooler"])
    seed = int.from_bytes(text_keys([text]).tobytes()[:8], "little")
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_blocks, setup["hidden_size"])).astype(np.float32)


def add(bank: Bank, texts: Sequence[Text], **options: Any) -> None:
    """Add texts as an extraction would."""
    blocks = np.stack([values_of(text, dict(bank.setup)) for text in texts])
    n_tokens = np.array([len(str(text)) for text in texts], np.int32)
    with bank.writer({"engine": "made up"}, **options) as writer:
        writer.add(text_keys(texts), n_tokens, n_tokens > 5, blocks)
    bank.refresh()
