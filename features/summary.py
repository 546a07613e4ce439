"""A bank at a glance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from features.bank import Bank
from features.console import human_bytes
from features.manifest import read_manifest


def describe(path: str | Path) -> dict[str, Any]:
    """What a bank holds, as plain values."""
    bank = Bank.open(path)
    segments = bank.segments
    n_tokens = np.concatenate([np.empty(0, np.int32), *(s.n_tokens.copy() for s in segments)])
    return {
        "path": str(bank.path),
        "name": bank.name,
        "format_version": read_manifest(bank.path).version,
        "fingerprint": bank.fingerprint,
        "encoder": dict(bank.source),
        "precision": bank.setup["precision"],
        "max_length": bank.setup.get("max_length"),
        "long": bank.setup.get("long"),
        "n_layers": bank.n_layers,
        "hidden_size": bank.hidden_size,
        "poolings": [*bank.poolings, *(["pooler"] if bank.has_pooler else [])],
        "n_texts": bank.n_texts,
        "n_truncated": int(sum(int(s.truncated.sum()) for s in segments)),
        "tokens": {
            "mean": float(n_tokens.mean()) if len(n_tokens) else None,
            "max": int(n_tokens.max()) if len(n_tokens) else None,
            "total": int(n_tokens.sum()),
        },
        "n_segments": len(segments),
        "bytes": sum(segment.size for segment in segments),
    }


def summary_json(path: str | Path) -> str:
    """:func:`describe` as JSON."""
    return json.dumps(describe(path), indent=2)


def summary(path: str | Path) -> str:
    """:func:`describe` as lines for people."""
    facts = describe(path)
    source, tokens = facts["encoder"], facts["tokens"]
    revision = f" at {source['revision']}" if source.get("revision") else ""
    lines = {
        "bank": facts["path"],
        "encoder": f"{source.get('encoder')}{revision}",
        "layers": f"{facts['n_layers']} (0 = embeddings, 1 to {facts['n_layers'] - 1} = blocks) "
        f"× {facts['hidden_size']}",
        "poolings": ", ".join(facts["poolings"]),
        "precision": facts["precision"],
        "long texts": f"{facts['long']} at {facts['max_length']} tokens, "
        f"{facts['n_truncated']} truncated",
        "texts": str(facts["n_texts"]),
        "tokens": f"{tokens['mean']:.0f} a text, at most {tokens['max']}"
        if tokens["mean"] is not None
        else "none yet",
        "size": f"{human_bytes(facts['bytes'])} in {facts['n_segments']} "
        f"segment{'s' * (facts['n_segments'] != 1)}",
        "fingerprint": facts["fingerprint"],
    }
    return "\n".join(f"{name:<12} {value}" for name, value in lines.items())
