"""A bank at a glance."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.blocks import bank_blocks
from features.compact import COMPACTED
from features.errors import BankError, CorruptSegment
from features.format import SEGMENT_NAME
from features.health import look
from features.manifest import Manifest, read_manifest
from features.segment import Segment, SnapshotMoved
from features.snapshot import segment_names
from features.verify import Finding

#: Segments whose rows are looked at; of more, so many spread evenly stand for all.
LOOKED_AT = 2048
#: Bars of the histogram at the most.
MAX_BINS = 16


def describe(path: str | Path) -> dict[str, Any]:
    """What a bank holds, as plain values, however damaged it is.

    Raises
    ------
    NotABank, BankError
        When it cannot be said what bank this is.
    """
    folder = Path(path).absolute()
    manifest = read_manifest(folder)
    names = segment_names(folder)
    rows = _Rows(folder, manifest, names)
    health = look(folder, rows.damaged)
    setup = manifest.setup
    blocks = bank_blocks(setup)
    lengths = rows.n_tokens
    return {
        "path": str(folder),
        "name": folder.name.removesuffix(".bank"),
        "format_version": manifest.version,
        "fingerprint": manifest.fingerprint,
        "encoder": dict(manifest.source),
        "precision": setup["precision"],
        "max_length": setup.get("max_length"),
        "long": setup.get("long"),
        "n_layers": int(setup["n_layers"]),
        "hidden_size": int(setup["hidden_size"]),
        "poolings": [*dict.fromkeys(block.pooling for block in blocks)],
        "n_texts": _n_texts(folder, lengths),
        "n_truncated": rows.n_truncated,
        "truncated_share": rows.n_truncated / len(lengths) if len(lengths) else 0.0,
        "tokens": {
            "mean": float(lengths.mean()) if len(lengths) else None,
            "min": int(lengths.min()) if len(lengths) else None,
            "median": float(np.median(lengths)) if len(lengths) else None,
            "max": int(lengths.max()) if len(lengths) else None,
            "total": int(lengths.sum()),
            "histogram": histogram(lengths),
        },
        "n_segments": len(names),
        "n_segments_looked_at": rows.n_segments,
        "bytes": sum((folder / name).stat().st_size for name in names if (folder / name).exists()),
        "rows_by_dtype": dict(rows.dtypes),
        "written": {"first": _time(names[0]), "last": _time(names[-1])} if names else None,
        "made_by": [dict(made) for made in rows.made_by],
        "retired": asdict(health.retired),
        "set_aside": asdict(health.set_aside),
        "n_writing": health.n_writing,
        "free_bytes": health.free_bytes,
        "findings": [asdict(finding) for finding in health.findings],
    }


def histogram(lengths: NDArray[np.int32]) -> list[dict[str, int]]:
    """Texts by length: ``from``, ``to`` (both inclusive) and ``n`` of each bar."""
    if not len(lengths):
        return []
    width = bar_width(int(lengths.min()), int(lengths.max()))
    counts = np.bincount(lengths // width)
    first = int(np.flatnonzero(counts)[0])
    return [
        {"from": at * width, "to": (at + 1) * width - 1, "n": n}
        for at, n in enumerate(counts.tolist())
        if at >= first
    ]


def bar_width(shortest: int, longest: int) -> int:
    """The smallest round width with which few enough bars reach from one length to the other.

    >>> bar_width(3, 9), bar_width(135, 387), bar_width(3, 512)
    (1, 20, 50)
    """
    power = 1
    while True:
        for step in (1, 2, 5):
            width = step * power
            if longest // width - shortest // width < MAX_BINS:
                return width
        power *= 10


def summary_json(path: str | Path) -> str:
    """:func:`describe` as JSON."""
    return json.dumps(describe(path), indent=2)


class _Rows:
    """What the segments say of their rows; at most `LOOKED_AT` of these are opened."""

    def __init__(self, folder: Path, manifest: Manifest, names: list[str]) -> None:
        at = np.unique(np.linspace(0, len(names) - 1, min(len(names), LOOKED_AT)).astype(int))
        blocks = bank_blocks(manifest.setup)
        self.damaged: list[Finding] = []
        self.n_segments = self.n_truncated = 0
        self.dtypes: Counter[str] = Counter()
        self.made_by: dict[tuple[tuple[str, str], ...], None] = {}
        lengths = [np.empty(0, np.int32)]
        for name in (names[i] for i in at):
            try:
                segment = Segment(folder / name, manifest.fingerprint, blocks)
                lengths.append(segment.n_tokens.copy())
                self.n_truncated += int(segment.truncated.sum())
            except SnapshotMoved:
                continue  # compacted away under our eyes
            except CorruptSegment as error:
                said = str(error).removeprefix(str(error.path)).split(": run ")[0].strip()
                self.damaged.append(Finding("damaged", name, said))
                continue
            self.n_segments += 1
            self.dtypes[segment.dtype.name] += segment.n
            made = segment.provenance
            self.made_by |= dict.fromkeys(map(_maker, made.get(COMPACTED, [made])))
        self.n_tokens: NDArray[np.int32] = np.concatenate(lengths)


def _maker(provenance: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What wrote a segment, less what differs from call to call."""
    return tuple(
        sorted((name, str(value)) for name, value in provenance.items() if name != "began")
    )


def _n_texts(folder: Path, lengths: NDArray[np.int32]) -> int:
    try:
        return Bank.open(folder).n_texts
    except BankError:  # damaged; what can be read counts, copies of a text too
        return len(lengths)


def _time(name: str) -> str:
    """When a segment was committed, from its name: ``2026-11-22T18:24:13Z``."""
    match = SEGMENT_NAME.fullmatch(name)
    assert match is not None
    t = os.path.basename(name).split("-")[1]
    return f"{t[:4]}-{t[4:6]}-{t[6:8]}T{t[9:11]}:{t[11:13]}:{t[13:15]}Z"
