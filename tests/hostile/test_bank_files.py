"""Anything at all in place of a file of a bank: one sentence, at once, from every command."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import xxhash

from features import Bank, LayerbankError
from features.disk import snapshot
from features.disk.commit import REARRANGING
from features.disk.format import COMMITS_LOG, MANIFEST, canonical_json
from features.disk.index import INDEX, KeyIndex
from features.errors import MissingTexts
from features.upkeep.summary import describe
from features.upkeep.verify import verify
from tests.hostile.forge import (
    COMMANDS,
    TEXTS,
    call,
    forge_manifest,
    mutate,
    small_bank,
)

SEGMENT = "segment"
FILES = (MANIFEST, COMMITS_LOG, INDEX, SEGMENT, REARRANGING, ".writing-0123")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made, tempfile.TemporaryDirectory() as short:
        made.bind(f"{short}/s")  # a longer path may be too long for a socket
        Path(short, "s").rename(path)


def _endless(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "folder": Path.mkdir,
    "very long file": _endless,
    "empty file": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(random.Random(0).randbytes(10_000)),
    "deep lists": lambda path: path.write_text("[" * 100_000),
    "deep objects": lambda path: path.write_text('{"a":' * 100_000),
    "half a deep list": lambda path: path.write_text("[" * 900 + "]" * 900),
    "a very long number": lambda path: path.write_text("9" * 100_000),
    "other JSON": lambda path: path.write_text("[{}, 7]"),
    "bytes that are no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two banks: one of two segments with an index, and another of the same set-up."""
    folder = tmp_path_factory.mktemp("whole")
    small_bank(folder / "a.bank", TEXTS[:3])
    bank = Bank.open(small_bank(folder / "a.bank", TEXTS[3:]))
    KeyIndex.of([each.keys for each in bank.segments]).save(
        bank.path, {each.path.name: each.n for each in bank.segments}
    )
    small_bank(folder / "b.bank", ["another"])
    return folder


def copied(whole: Path, folder: Path) -> tuple[Path, Path]:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    return folder / "a.bank", folder / "b.bank"


#: Those that only the long run tries with every command; repair is tried with all of them.
RARE = {"terminal", "socket", "deep objects", "half a deep list", "a very long number",
        "other JSON", "bytes that are no text"}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.slow) if kind in RARE else kind for kind in KINDS],
)
def test_every_command_against_every_kind_of_file(
    command: str, kind: str, whole: Path, tmp_path: Path
) -> None:
    for name in FILES:
        bank, other = copied(whole, tmp_path / "try")
        path = bank / name
        if name == SEGMENT:
            path = min(bank.glob("segment-*"))
        path.unlink(missing_ok=True)
        KINDS[kind](path)
        code, said = call(command, bank, other)
        where = f"{command} {name}: {said}"
        assert code in (0, 1, 2), where
        if code == 2:
            assert said.count("layerbank: error:") == 1, where
            assert path.name in said or "holds other files and no bank" in said, where
        if name == MANIFEST and "verify" not in command:
            assert code == 2, where
        if name == SEGMENT and "verify" in command:
            assert (code, path.name in said) == (1, True), where


def test_repair_sets_anything_aside(whole: Path, tmp_path: Path) -> None:
    for kind, make in KINDS.items():
        for name in (MANIFEST, COMMITS_LOG, INDEX, SEGMENT):
            bank, _ = copied(whole, tmp_path / "try")
            path = min(bank.glob("segment-*")) if name == SEGMENT else bank / name
            path.unlink(missing_ok=True)
            make(path)
            verify(bank, repair=True)
            assert verify(bank).findings == (), (kind, name)
            left = TEXTS[3:] if name == SEGMENT else TEXTS
            assert Bank.open(bank).contains(left).all(), (kind, name)


def deeply(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


WRONG: list[Any] = [None, True, -1, 0, 1.5, 10**9, 10**18, 10**30, "4", [], {}, [4], {"a": 1}]
NAMES: dict[str, list[Any]] = {
    "n_layers": WRONG,
    "hidden_size": WRONG,
    "pooler": [None, 0, 1, "true", [], {}],
    "precision": [None, 7, True, [], {}, "", "zz", "fp32\n", "fp64"],
    "poolings": [None, True, 7, "mean", {}, {"mean": 1}, [7], [None], [["mean"]], [""], ["a b"],
                 ["../../x"], ["a/b"], ["mean[0]"], ["pooler"], ["mean\n"], ["\u00e9"],
                 ["\x1b[31m"], ["a" * 100], [f"p{i}" for i in range(10**6)]],
    "max_length": ["512", [], {}, True, 0, -1, 10**30, 1.5],
    "long": [7, [], {}],
    "stride": ["7", [], True, 0, -1],
    "weights": [7, [], {}],
    "tokenizer": [7, [], {}],
    "config": [7, [], "a"],
    "further": [deeply(100), deeply(900), {"a": "\ud800"}],
}  # fmt: skip
SOURCES: list[Any] = [None, 7, "a", [], {"encoder": 7}, {"encoder": ["a"]}, {"revision": {}},
                      {"weights": 7}, {"model_type": []}, {"a": "\udfff"}]  # fmt: skip


def manifests() -> list[tuple[str, Callable[[dict[str, Any]], object]]]:
    changes: list[tuple[str, Callable[[dict[str, Any]], object]]] = []
    for name, values in NAMES.items():
        for value in values:
            changes.append(
                (f"{name} {value!r:.30}", lambda c, n=name, v=value: c["setup"].update({n: v}))
            )
        if name in ("n_layers", "hidden_size", "pooler", "precision", "poolings"):
            changes.append((f"no {name}", lambda c, n=name: c["setup"].pop(n)))
    for value in SOURCES:
        changes.append((f"source {value!r}", lambda c, v=value: c.update(source=v)))
    for name in ("format", "version", "setup", "source"):
        changes.append((f"no {name}", lambda c, n=name: c.pop(n)))
        for value in (None, True, 7, -1, 1.0, "1", [], [{}]):
            changes.append((f"{name} {value!r}", lambda c, n=name, v=value: c.update({n: v})))
    changes.append(("many numbers", lambda c: c["setup"].update(n_layers=10**6, hidden_size=10**6)))
    changes.append(
        ("no block", lambda c: c["setup"].update(poolings=[], pooler=False)),
    )
    return changes


def test_no_wrong_manifest_opens(whole: Path, tmp_path: Path) -> None:
    for name, change in manifests():
        bank, _ = copied(whole, tmp_path / "try")
        forge_manifest(bank, change)
        with pytest.raises(LayerbankError) as error:
            pytest.fail(f"{name} {Bank.open(bank)}")
        assert len(str(error.value)) < 600, name
        report = verify(bank, repair=True)
        assert [finding.name for finding in report.findings] == [MANIFEST], name
        assert Bank.open(bank).contains(TEXTS).all(), name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_against_wrong_manifests(command: str, whole: Path, tmp_path: Path) -> None:
    for name, change in manifests()[:: 1 if command == "info" else 7]:
        bank, other = copied(whole, tmp_path / "try")
        forge_manifest(bank, change)
        code, said = call(command, bank, other)
        assert code == (1 if "verify" in command else 2), (name, said)
        assert str(bank) in said, (name, said)
        assert said.count("\n") < 10, (name, said)


@pytest.mark.parametrize("n", [300, pytest.param(5_000, marks=pytest.mark.slow)])
def test_random_manifests(n: int, whole: Path, tmp_path: Path) -> None:
    rng = random.Random(n)
    expected = Bank.open(whole / "a.bank").matrix(TEXTS, "*[:]+pooler")
    refused = 0
    for _ in range(n):
        bank, _ = copied(whole, tmp_path / "try")
        with contextlib.suppress(ValueError):  # of what no canonical JSON holds
            forge_manifest(bank, lambda content: mutate(content, rng))
        try:
            assert (Bank.open(bank).matrix(TEXTS, "*[:]+pooler") == expected).all()
        except LayerbankError:
            refused += 1
        for act in (describe, partial(verify, repair=True)):
            with contextlib.suppress(LayerbankError):
                act(bank)
    assert refused > n // 2


def test_a_huge_bank_that_holds_nothing_takes_no_memory(whole: Path, tmp_path: Path) -> None:
    bank, other = copied(whole, tmp_path / "try")
    for path in bank.glob("segment-*"):
        path.unlink()
    forge_manifest(bank, lambda c: c["setup"].update(n_layers=2**15, hidden_size=256, pooler=False))
    with pytest.raises(LayerbankError, match="lacks 100000 of the texts"):
        Bank.open(bank).matrix([str(i) for i in range(100_000)], "*[:]")
    code, said = call("export", bank, other)
    assert (code, "lacks 6 of the texts" in said) == (2, True)


def index_of(sizes: dict[str, Any], order: list[int], keys: bytes, prefixes: list[int]) -> bytes:
    """An index with a right hash."""
    body = b"".join(each.to_bytes(8, "little") for each in prefixes)
    body += b"".join(each.to_bytes(4, "little") for each in order) + keys
    checksum = xxhash.xxh3_64_hexdigest(canonical_json(sizes).encode() + body)
    header = {"version": 1, "segments": sizes, "xxh3_64": checksum}
    return canonical_json(header).encode().ljust(4095) + b"\n" + body


def test_an_index_with_a_right_hash_changes_no_number(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "KEEP_SEGMENTS", 1)
    rng = random.Random(1)
    expected = Bank.open(whole / "a.bank").matrix(TEXTS, "*[:]+pooler")
    bank, _ = copied(whole, tmp_path / "try")
    segments = Bank.open(bank).segments
    names = [segment.path.name for segment in segments]
    keys = b"".join(segment.keys.tobytes() for segment in segments)
    prefixes = sorted(int.from_bytes(keys[i : i + 8], "big") for i in range(0, len(keys), 32))
    n_missing = 0
    for number in range(200):
        orders = rng.choices([*range(6), 6, 2**32 - 1], k=6)
        counts = rng.choice([(3, 3), (1, 5), (6, 0), (0, 6), (-3, 9), (9, -3), (3.0, 3), (True, 5)])
        shuffled = rng.sample(range(6), 6)
        mixed = b"".join(keys[32 * i : 32 * i + 32] for i in shuffled)
        content = index_of(
            dict(zip(names, counts, strict=True)),
            orders if number % 2 else shuffled,
            mixed if number % 3 else keys,
            prefixes if number % 5 else prefixes[::-1],
        )
        (bank / INDEX).unlink(missing_ok=True)
        (bank / INDEX).write_bytes(content)
        try:
            found = Bank.open(bank).matrix(TEXTS, "*[:]+pooler")
        except MissingTexts:
            n_missing += 1  # a text that the index does not find is encoded again
            continue
        assert (found == expected).all()
    assert 0 < n_missing < 200
