"""A bank at a glance, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from features.console import human_bytes

WIDTH = 32
_EIGHTHS = " ▏▎▍▌▋▊▉"


def summary(facts: Mapping[str, Any], *, fancy: bool = False) -> str:
    """What `features.summary.describe` gave, as lines; `fancy` where blocks can be drawn."""
    return "\n".join(
        f"{name:<12} {line}" if at == 0 else f"{'':<12} {line}"
        for name, lines in _facts(facts, fancy)
        for at, line in enumerate(lines)
    )


def _facts(facts: Mapping[str, Any], fancy: bool) -> Iterator[tuple[str, list[str]]]:
    source, last = facts["encoder"], facts["n_layers"] - 1
    revision = f" at {source['revision']}" if source.get("revision") else ""
    kind = f" ({source['model_type']})" if source.get("model_type") else ""
    yield "bank", [facts["path"]]
    yield "encoder", [f"{source.get('encoder')}{revision}{kind}"]
    if source.get("weights"):
        yield "weights", [str(source["weights"])]
    yield (
        "layers",
        [f"{facts['n_layers']} (0 = embeddings, 1 to {last} = blocks) × {facts['hidden_size']}"],
    )
    yield "poolings", [", ".join(facts["poolings"])]
    stored = ", ".join(_share(facts["rows_by_dtype"], name) for name in facts["rows_by_dtype"])
    yield "precision", [facts["precision"] + (f", stored as {stored}" if stored else "")]
    yield "texts", [f"{facts['n_texts']:,}"]
    yield "tokens", [*_tokens(facts, fancy)]
    yield "long texts", [_truncated(facts)]
    yield "size", [*_size(facts)]
    if facts["written"]:
        first, then = (facts["written"][at][:16].replace("T", " ") for at in ("first", "last"))
        yield "written", [f"{first} UTC" if first == then else f"{first} to {then} UTC"]
    if facts["made_by"]:
        yield "made by", [*dict.fromkeys(map(_maker, facts["made_by"]))]
    yield "health", [*_health(facts)]
    yield "fingerprint", [facts["fingerprint"]]


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
    verify = f"layerbank verify {facts['path']}"
    if findings:
        yield f"`{verify}` reads every byte, and with --repair sets damage aside"
    else:
        yield f"nothing wrong at a glance; `{verify}` reads every byte"


def _maker(made: Mapping[str, Any]) -> str:
    engine = str(made.get("engine"))
    version = f" {made[engine]}" if engine in made else ""
    device = f" on {made['device']}" if "device" in made else ""
    others = [f"{name} {made[name]}" for name in ("transformers", "python") if name in made]
    return ", ".join([f"{engine}{version}{device}", *others])


def _share(rows: Mapping[str, int], name: str) -> str:
    if len(rows) == 1:
        return name
    return f"{name} ({rows[name] / sum(rows.values()):.1%} of the texts)"
