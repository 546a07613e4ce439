"""Two readers of a bank written from ``docs/format.md`` alone, against layerbank's own.

They share nothing with the packages: what they need and the page does not say, it should say.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xxhash

GOLDEN = Path(__file__).parent / "features/disk/golden/version-1"
NAME = re.compile(r"segment-[0-9]{8}T[0-9]{12}-[0-9a-f]{16}\.h5")


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def key_of(*parts: str) -> bytes:
    data = [part.encode() for part in parts]
    return hashlib.sha256(b"".join(len(d).to_bytes(8, "little") + d for d in data)).digest()


def manifest(folder: Path) -> Any:
    content = json.loads((folder / "bank.json").read_text(encoding="utf-8"))
    assert (content["format"], content["version"]) == ("layerbank", 1)
    assert hashlib.sha256(canonical(content["setup"])).hexdigest() == content["fingerprint"]
    rest = {name: value for name, value in content.items() if name != "xxh3_64"}
    assert xxhash.xxh3_64_hexdigest(canonical(rest)) == content["xxh3_64"]
    return content


def segments(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if NAME.fullmatch(path.name)]


def with_hdf5(path: Path, bank: Any) -> dict[str, np.ndarray]:
    """Every dataset of a segment, read with an HDF5 library."""
    with h5py.File(path) as file:
        assert file.attrs["format"] == "layerbank"
        assert file.attrs["version"] == 1
        assert file.attrs["fingerprint"] == bank["fingerprint"]
        assert json.loads(file.attrs["setup"]) == bank["setup"]
        assert json.loads(file.attrs["source"]) == bank["source"]
        found: dict[str, np.ndarray] = {}

        def visit(name: str, thing: Any) -> None:
            if isinstance(thing, h5py.Dataset):
                assert thing.chunks is None
                assert thing.shape[0] == file.attrs["n"]
                values = thing[()]
                assert xxhash.xxh3_64_hexdigest(values.tobytes()) == thing.attrs["xxh3_64"]
                found[f"/{name}"] = values

        file.visititems(visit)
    return found


def with_the_user_block(path: Path, bank: Any) -> dict[str, np.ndarray]:
    """The same without one: a map of the file, and what its first bytes say."""
    file = np.memmap(path, np.uint8, "r")
    first = bytes(file[:64]).split(b"\n")[0]
    word, checksum, length = first.split(b" ")
    assert word == b"layerbank-segment"
    text = bytes(file[len(first) + 1 :][: int(length)])
    assert xxhash.xxh3_64_hexdigest(text).encode() == checksum
    header = json.loads(text)
    assert canonical(header) == text
    assert (header["format"], header["version"]) == ("layerbank", 1)
    assert header["fingerprint"] == bank["fingerprint"]
    assert (header["setup"], header["source"]) == (bank["setup"], bank["source"])
    assert header["size"] == len(file)
    found = {}
    for name, (offset, kind, shape, told) in header["datasets"].items():
        assert offset % 4096 == 0
        assert kind in ("|u1", "<i4", "<f2", "<f4")
        assert shape[0] == header["n"]
        values = np.memmap(path, np.dtype(kind), "r", offset, tuple(shape))
        assert xxhash.xxh3_64_hexdigest(values) == told
        found[name] = values
    return found


READERS = [with_hdf5, with_the_user_block]


@pytest.mark.parametrize("read", READERS)
def test_a_reader_written_from_the_page_reads_the_golden_bank(read: Any) -> None:
    bank = manifest(GOLDEN)
    setup = bank["setup"]
    names = [
        f"/{pooling}/{layer}" for pooling in setup["poolings"] for layer in range(setup["n_layers"])
    ] + ["/pooler"] * setup["pooler"]
    rows: dict[bytes, tuple[int, int, np.ndarray]] = {}
    for path in segments(GOLDEN):
        assert hashlib.sha256(path.read_bytes()).hexdigest()[:16] == path.name[-19:-3]
        data = read(path, bank)
        assert {*data} == {"/key", "/n_tokens", "/truncated", *names}
        for i, key in enumerate(data["/key"]):
            vectors = np.stack([np.float32(data[name][i]) for name in names])
            assert vectors.shape[1] == setup["hidden_size"]
            found = (int(data["/n_tokens"][i]), int(data["/truncated"][i]), vectors)
            rows.setdefault(bytes(key), found)
    expected = json.loads(GOLDEN.with_suffix(".json").read_text(encoding="utf-8"))
    assert len(rows) == len(expected["texts"])
    for i, text in enumerate(expected["texts"]):
        n_tokens, truncated, vectors = rows[key_of(*([text] if isinstance(text, str) else text))]
        assert n_tokens == expected["n_tokens"][i]
        assert truncated == expected["truncated"][i]
        assert vectors.ravel().tolist() == np.float32(expected["*[:]+pooler"][i]).tolist()


@pytest.mark.parametrize("read", READERS)
def test_it_reads_what_is_written_and_compacted_today(read: Any, tmp_path: Path) -> None:
    from features import Bank
    from features.upkeep.compact import compact
    from tests.made_up import SETUP, add

    texts = [f"text {i}" for i in range(9)]
    setup = {
        **SETUP,
        "config": {"eps": 1e-5, "name": "Größe 🙂"},
        "poolings": ["max", "std", "cls"],
    }
    bank = Bank.create(tmp_path / "a.bank", setup, {"encoder": "é"})
    for first in (0, 4, 2):  # some of them twice
        add(bank, texts[first : first + 5])
    for _ in ("as written", "compacted"):
        described = manifest(bank.path)
        found: dict[bytes, np.ndarray] = {}
        for path in segments(bank.path):
            data = read(path, described)
            for key, vector in zip(data["/key"], data["/std/2"], strict=True):
                found.setdefault(bytes(key), vector)
        assert {*found} == {key_of(text) for text in texts}
        own = np.stack([found[key_of(text)] for text in texts])
        np.testing.assert_array_equal(own, bank.matrix(texts, "std[2]"))
        compact(bank.path)
        bank.refresh()


def test_the_log_is_as_the_page_says() -> None:
    lines = (GOLDEN / "commits.log").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(segments(GOLDEN))
    for line, path in zip(lines, segments(GOLDEN), strict=True):
        _time, event, name, _rows, checksum = line.split("\t")
        assert (event, name) == ("commit", path.name)
        assert xxhash.xxh3_64_hexdigest(line.rpartition("\t")[0].encode()) == checksum
