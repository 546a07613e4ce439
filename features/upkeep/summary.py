"""A bank at a glance: what it holds, as plain values and as lines for people.

Some thousands of segments are opened at the most, and nothing is read but their rows' lengths.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.console.show import human_bytes, printable
from features.disk.layout import Layout
from features.disk.manifest import Manifest, read_manifest
from features.disk.segment import Segment, SnapshotMoved
from features.disk.snapshot import segment_names
from features.errors import BankError, CorruptSegment
from features.paths import as_path
from features.selection import bank_blocks
from features.sentence import FACTS, described, sentence_poolings
from features.token_notes import token_notes
from features.upkeep.findings import Finding, look

#: Segments whose rows are looked at; of more, so many spread evenly stand for all.
LOOKED_AT = 2048

#: Bars of the histogram at the most, and characters of the longest.
MAX_BINS, WIDTH = 16, 32

_EIGHTHS = " ▏▎▍▌▋▊▉"


def describe(path: str | Path) -> dict[str, Any]:
    """What a bank holds, as plain values, however damaged it is.

    Raises
    ------
    NotABank, BankError
        When it cannot be said what bank this is.
    """
    folder = as_path(path).absolute()
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
        "prompt": setup.get("prompt"),
        "sentence": sentence(setup, manifest.source),
        "n_layers": int(setup["n_layers"]),
        "hidden_size": int(setup["hidden_size"]),
        "poolings": [*dict.fromkeys(block.pooling for block in blocks)],
        "token_notes": [*token_notes(setup, manifest.source)],
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
    bars = lengths // width
    first = int(bars.min())
    return [
        {"from": number * width, "to": (number + 1) * width - 1, "n": n}
        for number, n in enumerate(np.bincount(bars - first).tolist(), first)
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
        spread = np.linspace(0, len(names) - 1, min(len(names), LOOKED_AT)).astype(int)
        layout = Layout.of(manifest)
        self.damaged: list[Finding] = []
        self.n_segments = self.n_truncated = 0
        self.dtypes: Counter[str] = Counter()
        self.made_by: dict[tuple[tuple[str, str], ...], None] = {}
        lengths = [np.empty(0, np.int32)]
        for name in (names[i] for i in np.unique(spread)):
            try:
                segment = Segment(folder / name, layout)
                lengths.append(segment.n_tokens.copy())
                self.n_truncated += int(segment.truncated.sum())
                made_by = segment.made_by
            except SnapshotMoved:
                continue  # compacted away under our eyes
            except CorruptSegment as error:
                said = str(error).removeprefix(str(error.path)).split(": run ")[0].strip()
                self.damaged.append(Finding("damaged", name, said))
                continue
            self.n_segments += 1
            self.dtypes[segment.dtype.name] += segment.n
            self.made_by |= dict.fromkeys(map(_maker, made_by))
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
    made = name.split("-")[1]
    return f"{made[:4]}-{made[4:6]}-{made[6:8]}T{made[9:11]}:{made[11:13]}:{made[13:15]}Z"


def summary(facts: Mapping[str, Any], *, fancy: bool = False) -> str:
    """What :func:`describe` gave, as lines; `fancy` where blocks can be drawn."""
    return "\n".join(
        f"{'' if number else name:<12} {line}"
        for name, lines in _facts(facts, fancy)
        for number, line in enumerate(lines)
    )


def _facts(facts: Mapping[str, Any], fancy: bool) -> Iterator[tuple[str, list[str]]]:
    source, last = facts["encoder"], facts["n_layers"] - 1
    revision = f" at {source['revision']}" if source.get("revision") else ""
    kind = f" ({source['model_type']})" if source.get("model_type") else ""
    yield "bank", [printable(facts["path"])]
    yield "encoder", [f"{source.get('encoder')}{revision}{kind}"]
    if source.get("weights"):
        yield "weights", [str(source["weights"])]
    yield (
        "layers",
        [
            f"{facts['n_layers']} (0 = embeddings, 1 to {last} = transformer layers) × "
            f"{facts['hidden_size']}"
        ],
    )
    yield "poolings", [", ".join(facts["poolings"]), *facts["token_notes"]]
    stored = ", ".join(_share(facts["rows_by_dtype"], name) for name in facts["rows_by_dtype"])
    if facts["sentence"] is not None:
        yield "sentence", [*_sentence(facts["sentence"])]
    if facts["prompt"]:
        yield "prompt", [f"{facts['prompt']!r} before each text"]
    yield "precision", [facts["precision"] + (f", stored as {stored}" if stored else "")]
    yield "texts", [f"{facts['n_texts']:,}"]
    yield "tokens", [*_tokens(facts, fancy)]
    yield "long texts", [_truncated(facts)]
    yield "size", [*_size(facts)]
    if facts["written"]:
        first, latest = (time[:16].replace("T", " ") for time in facts["written"].values())
        yield "written", [f"{first} UTC" if first == latest else f"{first} to {latest} UTC"]
    if facts["made_by"]:
        yield "made by", [*dict.fromkeys(map(_maker_text, facts["made_by"]))]
    yield "health", [*_health(facts)]
    yield "fingerprint", [facts["fingerprint"]]


def sentence(setup: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the encoder's sentence-transformers folder says; None where there is none.

    Beside what the bank recorded: ``offered``, whether the bank serves the selection ``sentence``,
    and ``why_not``.
    """
    if source.get(FACTS) is None:
        return None
    offered = sentence_poolings(setup, source)
    why_not = offered if isinstance(offered, str) else None
    return {**source[FACTS], "offered": why_not is None, "why_not": why_not}


def _sentence(facts: Mapping[str, Any]) -> Iterator[str]:
    length = f"; at {facts['max_length']} tokens" if facts["max_length"] else ""
    yield f"{described(facts)}{length}, by the encoder's sentence-transformers folder"
    if facts["why_not"]:
        yield f"not offered as a selection: {facts['why_not']}"
    else:
        yield "offered as the selection `sentence`"
    if prompts := [f"{name} {text!r}" for name, text in facts["prompts"].items() if text]:
        default = facts["default_prompt"]
        yield f"prompts: {', '.join(prompts)}" + (f"; {default} by default" if default else "")


def _tokens(facts: Mapping[str, Any], fancy: bool) -> Iterator[str]:
    tokens, bars = facts["tokens"], facts["tokens"]["histogram"]
    if not bars:
        yield "none yet"
        return
    yield (
        f"{tokens['mean']:.0f} a text (median {tokens['median']:.0f}), "
        f"{tokens['min']} to {tokens['max']}; {tokens['total']:,} in all"
    )
    if facts["n_segments_looked_at"] < facts["n_segments"]:
        yield f"(in {facts['n_segments_looked_at']:,} of {facts['n_segments']:,} segments)"
    names = [f"{bar['from']} to {bar['to']}" for bar in bars]
    width, digits = max(map(len, names)), max(len(f"{bar['n']:,}") for bar in bars)
    most = max(bar["n"] for bar in bars)
    for name, bar in zip(names, bars, strict=True):
        yield f"{name:>{width}}  {bar['n']:>{digits},}  {drawn(bar['n'] / most, fancy)}".rstrip()


def drawn(share: float, fancy: bool) -> str:
    """A bar of up to `WIDTH` characters; anything above nothing shows."""
    if not fancy:
        return "#" * max(round(share * WIDTH), int(share > 0))
    eighths = max(round(share * WIDTH * 8), int(share > 0))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _truncated(facts: Mapping[str, Any]) -> str:
    long, n = facts["long"], facts["n_truncated"]
    if long == "window":
        return f"read in windows of {facts['max_length']} tokens"
    cut = f"{n:,} cut off ({facts['truncated_share']:.1%})" if n else "none cut off"
    return f"{long} at {facts['max_length']} tokens: {cut}"


def _size(facts: Mapping[str, Any]) -> Iterator[str]:
    n = facts["n_segments"]
    size = f"{human_bytes(facts['bytes'])} in {n:,} segment{'s' * (n != 1)}"
    yield f"{size}; {human_bytes(facts['free_bytes'])} free on the disk"
    for name, what in (
        ("retired", "that compact replaced"),
        ("set_aside", "that repair set aside"),
    ):
        if facts[name]["n"]:
            yield f"{human_bytes(facts[name]['bytes'])} more in {facts[name]['n']} {what}"


def _health(facts: Mapping[str, Any]) -> Iterator[str]:
    findings: Sequence[Mapping[str, str]] = facts["findings"]
    if facts["n_writing"]:
        yield f"{facts['n_writing']} segments are being written"
    for finding in findings[:8]:
        yield f"{finding['kind']}: {finding['name']} ({finding['detail']})"
    if len(findings) > 8:
        yield f"and {len(findings) - 8} more"
    verify = f"layerbank verify {printable(facts['path'])}"
    if findings:
        yield f"`{verify}` reads every byte, and with --repair sets damage aside"
    else:
        yield f"nothing wrong at a glance; `{verify}` reads every byte"


def _maker_text(made: Mapping[str, Any]) -> str:
    engine = str(made.get("engine"))
    version = f" {made[engine]}" if engine in made else ""
    device = f" on {made['device']}" if "device" in made else ""
    others = [f"{name} {made[name]}" for name in ("transformers", "python") if name in made]
    return ", ".join([f"{engine}{version}{device}", *others])


def _share(rows: Mapping[str, int], name: str) -> str:
    if len(rows) == 1:
        return name
    return f"{name} ({rows[name] / sum(rows.values()):.1%} of the texts)"
