"""Whatever byte of a bank is damaged: no read returns a wrong number, none hangs, and ``verify``
finds it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest

from features import Bank, LayerbankError
from features.disk import snapshot
from features.disk.index import INDEX, KeyIndex
from features.upkeep.verify import verify
from tests.features.disk.faults.rig import EVERYTHING, TEXTS, extract, real_findings, truth

LIMIT_SECONDS = 240

Damage = Callable[[bytearray], None]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def flip(at: int, bit: int, data: bytearray) -> None:
    data[at] ^= 1 << bit


def cut(at: int, data: bytearray) -> None:
    del data[at:]


def zero(at: int, data: bytearray) -> None:
    data[at : at + 4096] = bytes(len(data[at : at + 4096]))


def _suffer(folder: Path, name: str, damages: list[Damage], told: Path) -> None:
    """Apply each damage in turn to one file of the bank; run in a process with a time limit."""
    # Read before anything is damaged.
    whole = (folder / name).read_bytes()
    outcomes = {"error": 0, "right": 0, "found": 0, "unchanged": 0}
    for damage in damages:
        data = bytearray(whole)
        damage(data)
        if data == whole:
            outcomes["unchanged"] += 1
            continue
        # Another file, not the same one rewritten: the last reader may still have it mapped.
        (folder / name).unlink()
        (folder / name).write_bytes(data)
        outcomes[_read(folder)] += 1
        try:
            report = verify(folder)
            outcomes["found"] += any(finding.name == name for finding in report.findings)
        except LayerbankError:
            outcomes["found"] += 1
    (folder / name).unlink()
    (folder / name).write_bytes(whole)
    assert real_findings(verify(folder)) == []
    told.write_text(json.dumps(outcomes))


def _read(folder: Path) -> str:
    try:
        bank = Bank.open(folder)
        there = [text for text, known in zip(TEXTS, bank.contains(TEXTS), strict=True) if known]
        np.testing.assert_array_equal(bank.matrix(there, EVERYTHING), truth(there).reshape(-1, 4))
        np.testing.assert_array_equal(bank.n_tokens(there), [len(text) for text in there])
        np.testing.assert_array_equal(bank.truncated(there), [len(text) > 6 for text in there])
    except LayerbankError:
        return "error"
    return "right"


def outcomes(folder: Path, name: str, damages: Iterable[Damage]) -> dict[str, int]:
    told = folder.parent / "outcomes.json"
    process = _context.Process(target=_suffer, args=(folder, name, list(damages), told))
    process.start()
    process.join(LIMIT_SECONDS)
    if process.exitcode is None:
        process.kill()
        pytest.fail("a read of a damaged bank hangs")
    assert process.exitcode == 0
    return dict(json.loads(told.read_text()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    extract(tmp_path / "a.bank")
    return tmp_path / "a.bank"


def _segment(folder: Path) -> Path:
    return min(folder.glob("segment-*"))


def _data_ranges(segment: Path) -> list[range]:
    ranges: list[range] = []

    def note(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            start = item.id.get_offset()
            ranges.append(range(start, start + item.nbytes))

    with h5py.File(segment) as file:
        file.visititems(note)
    return ranges


def _metadata(segment: Path) -> Iterator[int]:
    """Where the bytes of the header and of HDF5's metadata stand."""
    data, ranges = segment.read_bytes(), _data_ranges(segment)
    for at, byte in enumerate(data):
        if byte and not any(at in rows for rows in ranges):
            yield at


def _assert_all_found(result: dict[str, int], n: int) -> None:
    assert result["error"] + result["right"] == n
    assert result["found"] == n


def test_metadata_bits_sampled(folder: Path) -> None:
    rng = random.Random(2)
    places = rng.sample([*_metadata(_segment(folder))], 800)
    damages = [partial(flip, at, rng.randrange(8)) for at in places]
    _assert_all_found(outcomes(folder, _segment(folder).name, damages), 800)


@pytest.mark.slow
@pytest.mark.parametrize("bit", range(8))
def test_every_metadata_byte(folder: Path, bit: int) -> None:
    damages = [partial(flip, at, bit) for at in _metadata(_segment(folder))]
    assert len(damages) > 2000
    _assert_all_found(outcomes(folder, _segment(folder).name, damages), len(damages))


def test_1000_data_bits(folder: Path) -> None:
    rng = random.Random(3)
    segment = _segment(folder)
    places = [at for rows in _data_ranges(segment) for at in rows]
    damages = [partial(flip, rng.choice(places), rng.randrange(8)) for _ in range(1000)]
    result = outcomes(folder, segment.name, damages)
    _assert_all_found(result, 1000)
    assert result["error"] == 1000  # every one of them would have changed a number


def test_truncation_and_zeroed_pages(folder: Path) -> None:
    segment = _segment(folder)
    size = segment.stat().st_size
    cuts = [partial(cut, at) for at in [*range(0, size, 4096), 1, size - 1]]
    result = outcomes(folder, segment.name, cuts)
    _assert_all_found(result, len(cuts))
    assert result["error"] == len(cuts)
    zeros = [partial(zero, at) for at in range(0, size, 4096)]
    result = outcomes(folder, segment.name, zeros)
    _assert_all_found(result, len(zeros) - result["unchanged"])


@pytest.mark.parametrize("name", ["bank.json", "commits.log", INDEX])
def test_the_other_files(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "KEEP_SEGMENTS", 1)
    Bank.open(folder)
    data = (folder / name).read_bytes()
    if name == "bank.json":
        # Between its words there may be any white space.
        places = [at for at, byte in enumerate(data) if byte not in b" \n"]
    elif name == INDEX:
        header = len(data.split(b"\n")[0])
        places = [*range(header), *range(4096, len(data))]
    else:
        places = [*range(len(data) - 1)]
    damages = [partial(flip, at, at % 7) for at in places]
    n = len(damages)
    result = outcomes(folder, name, damages)
    assert result["error"] + result["right"] == n
    if name != "bank.json":
        assert result["right"] == n  # neither decides what is read
    assert result["found"] == n


def test_swapped_and_missing_segments(folder: Path) -> None:
    first, second = sorted(folder.glob("segment-*"))
    first.rename(folder / "aside")
    second.rename(first)
    (folder / "aside").rename(second)
    # Each holds true rows, only under the other's name: reads are right, verify finds both.
    assert _read(folder) == "right"
    assert {finding.name for finding in verify(folder).findings} == {first.name, second.name}
    first.unlink()
    second.unlink()
    assert _read(folder) == "right"
    report = verify(folder)
    assert {(f.kind, f.name) for f in report.findings} == {
        ("missing", first.name),
        ("missing", second.name),
    }
    assert all("3 rows" in finding.detail for finding in report.findings)


def test_a_stale_index(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "KEEP_SEGMENTS", 1)
    Bank.open(folder)
    other = tmp_path / "other.bank"
    extract(other, ["text 5", "text 1", "text 0", "text 9"], batch=2)
    Bank.open(other)
    # Another bank's index; then one that is whole and gives this bank's segments other keys.
    (folder / INDEX).write_bytes((other / INDEX).read_bytes())
    assert _read(folder) == "right"
    kept = KeyIndex.read(folder)
    assert kept is not None
    index, sizes = kept
    wrong = KeyIndex.of([index.keys[::-1]])
    wrong.save(folder, sizes)
    assert [finding.name for finding in verify(folder).findings] == [INDEX]
    assert _read(folder) == "right"
    wrong.save(folder, sizes)
    verify(folder, repair=True)
    assert not (folder / INDEX).exists()
    assert _read(folder) == "right"
    # Of before a segment was added, and of before one went.
    Bank.open(folder)
    extract(folder, [*TEXTS, "text 7"])
    assert _read(folder) == "right"
    _segment(folder).unlink()
    assert _read(folder) == "right"
    os.truncate(folder / INDEX, 5000)
    assert _read(folder) == "right"


def test_repair_leaves_exactly_the_gap(folder: Path) -> None:
    segment = _segment(folder)
    data = bytearray(segment.read_bytes())
    flip(len(data) - 5, 3, data)
    segment.write_bytes(data)
    (folder / "notes.txt").write_text("mine")
    report = verify(folder, repair=True)
    assert [(f.kind, f.name) for f in report.findings] == [
        ("stray", "notes.txt"),
        ("damaged", segment.name),
    ]
    assert (folder / "damaged" / segment.name).read_bytes() == data
    assert extract(folder) == 3  # texts encoded: those of the damaged segment and no others
    assert _read(folder) == "right"
    assert [finding.kind for finding in verify(folder).findings] == ["stray"]


def test_a_lost_manifest_is_restored(folder: Path) -> None:
    before = Bank.open(folder)
    (folder / "bank.json").unlink()
    assert [str(finding) for finding in verify(folder, repair=True).findings] == [
        "missing: bank.json (every segment holds a copy)"
    ]
    after = Bank.open(folder)
    assert (after.setup, after.source) == (before.setup, before.source)
    assert verify(folder).findings == ()
    (folder / "bank.json").write_text("{")
    shutil.rmtree(folder / "retired", ignore_errors=True)
    for path in folder.glob("segment-*"):
        path.unlink()
    with pytest.raises(LayerbankError, match="no segment holds a whole copy"):
        verify(folder, repair=True)
