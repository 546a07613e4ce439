"""Banks as a stranger would make them: anything at all in the files, and every hash right."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import random
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import xxhash

from features import Bank
from features.cli import app
from features.console.app import run
from features.disk.format import canonical_json, fingerprint
from features.disk.header import header_bytes, header_room, read_header
from tests.made_up import SETUP, SOURCE, add

TEXTS = [f"text {i}" for i in range(6)]

#: Few blocks and columns.
SMALL = {**SETUP, "poolings": ["cls", "mean"], "n_layers": 2}

#: Longest that any command may take over a small bank, seconds.
LIMIT = 20


def small_bank(path: Path, texts: Sequence[str] = TEXTS, **changes: Any) -> Path:
    """A bank of one segment."""
    add(Bank.create(path, {**SMALL, **changes}, SOURCE), texts)
    return path


def segment_of(folder: Path) -> Path:
    (path,) = folder.glob("segment-*.h5")
    return path


def forge_segment(path: Path, change: Callable[[dict[str, Any], bytearray], object]) -> Path:
    """Change a segment's header and bytes; its hashes, its length and its name are right again."""
    data = bytearray(path.read_bytes())
    header = read_header(memoryview(data))
    room = min(place[0] for place in _places(header))
    change(header, data)
    shift = max(0, header_room(len(plain_header(header)) + 16) - room)
    for place in _places(header):
        place[0] += shift
    data[:0] = bytes(shift)
    if "size" in header and isinstance(header["size"], int):
        header["size"] += shift
    head = plain_header(header)
    data[: len(head)] = head
    made = path.name.split("-")[1]
    path.unlink()
    new = path.with_name(f"segment-{made}-{hashlib.sha256(data).hexdigest()[:16]}.h5")
    new.write_bytes(data)
    return new


def _places(header: dict[str, Any]) -> list[list[Any]]:
    datasets = header.get("datasets")
    found = datasets.values() if isinstance(datasets, dict) else []
    return [each for each in found if isinstance(each, list) and each and type(each[0]) is int]


def plain_header(header: dict[str, Any]) -> bytes:
    """A header; the text `raw` in it stands for its own last members, whatever they are."""
    raw = header.get("raw")
    if raw is None:
        return header_bytes(header)
    rest = {name: value for name, value in header.items() if name != "raw"}
    text = (canonical_json(rest)[:-1] + f",{raw}}}").encode()
    checksum = xxhash.xxh3_64_hexdigest(text).encode()
    return b"layerbank-segment %b %d\n%b\n" % (checksum, len(text), text)


def rehash(header: dict[str, Any], data: bytearray, name: str) -> None:
    """Make a dataset's hash right again."""
    offset, dtype, shape, _ = header["datasets"][name]
    size = int(dtype[-1])
    for each in shape:
        size *= each
    header["datasets"][name][3] = xxhash.xxh3_64_hexdigest(bytes(data[offset : offset + size]))


def forge_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change ``bank.json``; its fingerprint and its hash are right again."""
    path = folder / "bank.json"
    content = json.loads(path.read_text())
    change(content)
    if isinstance(content.get("setup"), dict):
        content["fingerprint"] = fingerprint(content["setup"])
    content.pop("xxh3_64", None)
    content["xxh3_64"] = xxhash.xxh3_64_hexdigest(canonical_json(content).encode())
    path.unlink()
    path.write_text(json.dumps(content))


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in lists and objects, as what holds it and its name or number in there."""
    for name in value if isinstance(value, dict) else range(len(value)):
        yield value, name
        if isinstance(value[name], (dict, list)):
            yield from _leaves(value[name])


_VALUES: list[Any] = [None, True, False, 0, 1, -1, 6, 7, 4096, 2**31, 2**63, 10**30, 0.5, 1e300,
                     "", "a", "<f4", "<f2", "\ud800", [], [0], [6, 4], {}, {"a": 1}]  # fmt: skip


def mutate(content: dict[str, Any], rng: random.Random) -> None:
    """Change one to three places of a JSON object, or leave them out."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        holder, name = rng.choice([*_leaves(content)])
        if rng.random() < 0.1:
            holder.pop(name)
        else:
            holder[name] = copy.deepcopy(rng.choice(_VALUES))


#: Every command that takes a bank, `BANK`, and may write to `OUT`.
COMMANDS = {
    "info": ("info", "BANK"),
    "info --json": ("info", "BANK", "--json"),
    "verify": ("verify", "BANK"),
    "compact": ("compact", "BANK"),
    "merge from": ("merge", "BANK", "--into", "OUT.bank"),
    "merge into": ("merge", "OTHER", "--into", "BANK"),
    "export": ("export", "BANK", "--select", "*[:]", "--rows", "ROWS", "--out", "OUT.csv"),
    "verify --repair": ("verify", "BANK", "--repair"),
    "delete": ("delete", "BANK", "--rows", "ROWS"),
}


def call(name: str, bank: Path, other: Path) -> tuple[int, str]:
    """Exit code of a command over a bank, and all that it said, within `LIMIT` seconds.

    Any exception that is no error for users comes through.
    """
    scratch = Path(tempfile.mkdtemp(dir=bank.parent))
    rows = scratch / "rows.csv"
    rows.write_text("text\n" + "".join(f"{text}\n" for text in TEXTS))
    words = {"BANK": bank, "OTHER": other, "ROWS": rows}
    words |= {name: scratch / name for name in ("OUT.bank", "OUT.csv")}
    said = io.StringIO()
    signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(LIMIT)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            run(app, [str(words.get(word, word)) for word in COMMANDS[name]])
    except SystemExit as left:
        return int(left.code or 0), said.getvalue()
    finally:
        signal.alarm(0)
        shutil.rmtree(scratch)
    return 0, said.getvalue()


def _hangs(*_: object) -> None:
    raise AssertionError("it hangs")
