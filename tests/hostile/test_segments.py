"""Segments with right hashes and wrong insides: refused, and found by ``verify``."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features import Bank, LayerbankError
from features.errors import CorruptSegment
from features.upkeep.verify import verify
from tests.hostile.forge import (
    COMMANDS,
    TEXTS,
    call,
    forge_segment,
    mutate,
    rehash,
    segment_of,
    small_bank,
)

Change = Callable[[dict[str, Any], bytearray], object]

#: What a dataset may be declared to be instead, of n = 6 rows and 4 columns.
SHAPES: list[Any] = [[6, 1], [6, 3], [6, 5], [6, 8], [6], [6, 4, 1], [6, 2, 2], [3, 8], [1, 24],
                     [24], [7, 4], [5, 4], [0, 4], [-6, -4], [6, -4], [6, 10**18], [], None, 6,
                     "64", {"0": 6}, [6, "4"], [[6, 4]]]  # fmt: skip
TYPES: list[Any] = ["<f8", ">f4", ">f2", "<f2", "<i4", "<i2", "|b1", "|u1", "<c8", "|S4", "|V4",
                    "|O", "<U1", "<M8[s]", "f", "", None, 4, ["<f4"], {}]  # fmt: skip
OFFSETS: list[Any] = [-4096, -1, 10**6, 10**30, 1.5, True, None, "4096", [0]]


def placed(name: str, part: int, value: Any) -> Change:
    """Say something else of a dataset; its hash is that of the bytes which it then has."""

    def change(header: dict[str, Any], data: bytearray) -> None:
        header["datasets"][name][part] = value
        with contextlib.suppress(TypeError, ValueError, LookupError):  # no bytes could be meant
            rehash(header, data, name)

    return change


def said(name: str, value: Any) -> Change:
    return lambda header, data: header.__setitem__(name, value)


def without(name: str) -> Change:
    return lambda header, data: header.pop(name)


def deep(name: str) -> Change:
    def change(header: dict[str, Any], data: bytearray) -> None:
        header["raw"] = f'"{name}":{"[" * 100_000}{"]" * 100_000}'
        header.pop(name, None)

    return change


def numbers(name: str, dtype: str, value: float) -> Change:
    """Write a number into a dataset."""

    def change(header: dict[str, Any], data: bytearray) -> None:
        offset = header["datasets"][name][0]
        data[offset : offset + np.dtype(dtype).itemsize] = np.array(value, dtype).tobytes()
        rehash(header, data, name)

    return change


def every_change() -> Iterator[tuple[str, Change]]:
    for name in ("/mean/1", "/cls/0", "/key", "/n_tokens", "/truncated", "/pooler"):
        for part, values in ((0, OFFSETS), (1, TYPES), (2, SHAPES)):
            for value in values:
                mine = {"/key": "|u1", "/n_tokens": "<i4", "/truncated": "|u1"}.get(name, "<f4")
                same = value == mine or (part == 2 and value == [6] and name[1] in "nt")
                if not same:
                    yield f"{name} {part} {value!r:.12}", placed(name, part, value)
        yield f"{name} gone", lambda header, data, name=name: header["datasets"].pop(name)
        for value in (None, [], [0], "abcd", 7, {}):
            yield (
                f"{name} is {value!r}",
                lambda header, data, name=name, value=value: header["datasets"].update(
                    {name: value}
                ),
            )
    for name in ("format", "version", "fingerprint", "n", "size", "datasets"):
        yield f"no {name}", without(name)
        for value in (None, True, -1, 7, 10**30, 1.5, "6", [], [6], {}, {"a": 1}):
            yield f"{name} is {value!r}", said(name, value)
        yield f"{name} is deep", deep(name)


CHANGES = dict(every_change())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes, bytes]:
    """A bank's segment, its name first, and ``bank.json``."""
    folder = small_bank(tmp_path_factory.mktemp("whole") / "a.bank")
    path = segment_of(folder)
    return path.name, path.read_bytes(), (folder / "bank.json").read_bytes()


def laid_out(whole: tuple[str, bytes, bytes], folder: Path) -> Path:
    name, segment, manifest = whole
    folder.mkdir()
    (folder / name).write_bytes(segment)
    (folder / "bank.json").write_bytes(manifest)
    return folder


def test_no_wrong_layout_is_read_and_verify_finds_each(
    whole: tuple[str, bytes, bytes], tmp_path: Path
) -> None:
    expected = Bank.open(laid_out(whole, tmp_path / "right.bank")).matrix(TEXTS, "*[:]+pooler")
    for number, (name, change) in enumerate(CHANGES.items()):
        folder = laid_out(whole, tmp_path / f"{number}.bank")
        path = forge_segment(folder / whole[0], change)
        with pytest.raises(CorruptSegment) as error:
            assert Bank.open(folder).matrix(TEXTS, "*[:]+pooler") is expected, name
        assert error.value.path == path, name
        assert len(str(error.value)) < 600, name
        findings = verify(folder).findings
        assert [finding.name for finding in findings] == [path.name], name


@pytest.mark.parametrize("declared", [(80, 1), (80, 3), (40, 8)])
def test_no_memory_that_was_not_filled_is_returned(tmp_path: Path, declared: list[int]) -> None:
    texts = [f"text {i}" for i in range(80)]
    folder = small_bank(tmp_path / "a.bank", texts)
    forge_segment(segment_of(folder), placed("/mean/1", 2, [*declared]))
    with pytest.raises(CorruptSegment, match=r"holds /mean/1 of another type or shape"):
        Bank.open(folder).matrix(texts, "mean[1]")


def test_types_follow_the_precision(tmp_path: Path) -> None:
    halves = small_bank(tmp_path / "halves.bank", precision="bf16")
    assert Bank.open(halves).segments[0].dtype == np.float16

    def as_halves(header: dict[str, Any], data: bytearray) -> None:
        for name, place in header["datasets"].items():
            if place[1] == "<f4":
                place[1] = "<f2"
                rehash(header, data, name)

    folder = small_bank(tmp_path / "a.bank")
    forge_segment(segment_of(folder), as_halves)
    with pytest.raises(CorruptSegment, match="holds numbers of type '<f2'"):
        Bank.open(folder)


@pytest.mark.parametrize(
    "change",
    [
        numbers("/n_tokens", "<i4", -1),
        numbers("/truncated", "|u1", 2),
        numbers("/mean/1", "<f4", np.nan),
        numbers("/pooler", "<f4", np.inf),
    ],
)
def test_numbers_that_cannot_be_are_found(tmp_path: Path, change: Change) -> None:
    folder = small_bank(tmp_path / "a.bank")
    path = forge_segment(segment_of(folder), change)
    damaged = [finding for finding in verify(folder).findings if finding.kind == "damaged"]
    assert [finding.name for finding in damaged] == [path.name]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -np.nan])
def test_no_float16_that_is_no_number_is_widened_to_one(tmp_path: Path, value: float) -> None:
    folder = small_bank(tmp_path / "a.bank", precision="fp16")
    forge_segment(segment_of(folder), numbers("/mean/1", "<f2", value))
    with pytest.raises(CorruptSegment, match="holds numbers in /mean/1 that cannot be"):
        Bank.open(folder).matrix(TEXTS, "mean[:]")
    assert Bank.open(folder).matrix(TEXTS, "mean[0]").shape == (6, 4)


def test_lengths_of_two_billion_tokens_draw_a_histogram(tmp_path: Path) -> None:
    folder = small_bank(tmp_path / "a.bank")

    def long(header: dict[str, Any], data: bytearray) -> None:
        offset = header["datasets"]["/n_tokens"][0]
        data[offset : offset + 24] = np.full(6, 2**31 - 1, "<i4").tobytes()
        rehash(header, data, "/n_tokens")

    forge_segment(segment_of(folder), long)
    code, text = call("info", folder, folder)
    assert code == 0
    assert "2147483647" in text.replace(",", "")


PROVENANCES: list[Any] = [None, 7, "a", [], {"compacted": 7}, {"compacted": [7]}, {"compacted": {}},
                          {"a": "\ud800"}, {"compacted": [{"a": [["\ud800"]]}]}]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_segment_says_of_itself(command: str, tmp_path: Path) -> None:
    changes = [said("provenance", value) for value in PROVENANCES]
    changes += [deep("provenance"), deep("setup"), said("setup", 7), said("source", [])]
    changes += [
        said("raw", '"provenance":{"a":NaN}'),
        said("raw", '"provenance":{"a":1e999}'),
        said("raw", f'"provenance":{{"a":{"[" * 300}{"]" * 300}}}'),
        said("raw", f'"provenance":{{"a":{"9" * 5000}}}'),
    ]
    for number, change in enumerate(changes):
        folder = small_bank(tmp_path / f"{number}.bank")
        small_bank(tmp_path / f"{number}.other.bank", ["another"])
        path = forge_segment(segment_of(folder), change)
        add_another(folder)
        code, text = call(command, folder, tmp_path / f"{number}.other.bank")
        assert code in (0, 1, 2), text
        assert "Traceback" not in text
        if code == 2:
            assert path.name in text or "bank.json" in text


def add_another(folder: Path) -> None:
    """A second segment, so that there is something to compact."""
    with contextlib.suppress(LayerbankError):  # the first one cannot be read
        small_bank(folder, ["one more"])


@pytest.mark.parametrize("n", [400, pytest.param(5_000, marks=pytest.mark.slow)])
def test_random_headers(n: int, whole: tuple[str, bytes, bytes], tmp_path: Path) -> None:
    rng = random.Random(n)
    expected = Bank.open(laid_out(whole, tmp_path / "right.bank")).matrix(TEXTS, "*[:]+pooler")
    refused = 0

    for number in range(n):
        folder = laid_out(whole, tmp_path / f"{number}.bank")
        forge_segment(folder / whole[0], lambda header, data: mutate(header, rng))
        try:
            bank = Bank.open(folder)
            np.testing.assert_array_equal(bank.matrix(TEXTS, "*[:]+pooler"), expected)
            np.testing.assert_array_equal(bank.n_tokens(TEXTS), [6] * 6)
        except CorruptSegment:
            refused += 1
        verify(folder, repair=True)
        shutil.rmtree(folder)
    assert refused > n // 2
