"""Compressed files: read like others, in bounded memory, and one sentence where damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.tables import content
from features.tables.table import open_table, read_dataset, read_texts

TEXTS = ["one", "two, and", 'say "hi"', "é🙂"]
TABLES = {
    "csv": 'text\none\n"two, and"\n"say ""hi"""\né🙂\n',
    "tsv": 'text\ty\none\t1\ntwo, and\t2\nsay "hi"\t3\né🙂\t4\n',
    "jsonl": '{"text": "one"}\n{"text": "two, and"}\n{"text": "say \\"hi\\""}\n{"text": "é🙂"}\n',
    "json": '[{"text": "one"}, {"text": "two, and"}, {"text": "say \\"hi\\""}, {"text": "é🙂"}]',
    "txt": 'one\ntwo, and\nsay "hi"\né🙂\n',
}  # fmt: skip


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(data)
    return sink.getvalue().to_pybytes()


def zipped(data: bytes, *names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return buffer.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
    "zip": lambda data: zipped(data, "in/train.csv"),
}


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("ending", TABLES)
def test_texts_of_packed_files(tmp_path: Path, ending: str, packer: str) -> None:
    path = tmp_path / f"data.{ending}.{packer}"
    data = TABLES[ending].encode()
    path.write_bytes(
        zipped(data, f"in/train.{ending}") if packer == "zip" else PACKERS[packer](data)
    )
    table = open_table(path)
    assert list(read_texts(table)) == TEXTS
    assert list(read_texts(table)) == TEXTS  # twice, as extraction does


@pytest.mark.parametrize("packer", PACKERS)
def test_the_first_bytes_say_how_it_is_packed(tmp_path: Path, packer: str) -> None:
    """Not the ending: browsers unpack what they load and keep its name, and so on."""
    path = tmp_path / "data.csv"
    path.write_bytes(PACKERS[packer](TABLES["csv"].encode()))
    assert list(read_texts(open_table(path))) == TEXTS
    plain = tmp_path / f"data.csv.{packer}"
    plain.write_text(TABLES["csv"], encoding="utf-8")
    assert list(read_texts(open_table(plain))) == TEXTS
    bare = tmp_path / f"data.{packer}"
    bare.write_bytes(PACKERS[packer](TABLES["csv"].encode()))
    assert list(read_texts(open_table(bare, format="csv"))) == TEXTS


@pytest.mark.parametrize("packer", ["gz", "bz2", "xz", "zst"])
def test_parts_that_were_packed_one_after_the_other(tmp_path: Path, packer: str) -> None:
    path = tmp_path / f"data.txt.{packer}"
    path.write_bytes(PACKERS[packer](b"one\n") + PACKERS[packer](b"two\n"))
    assert list(read_texts(open_table(path))) == ["one", "two"]


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damage_is_told(tmp_path: Path, packer: str, damage: str) -> None:
    rows = "".join(f"{i * 7919 % 10007} text {i}\n" for i in range(20_000))
    packed = bytearray(PACKERS[packer](f"text\n{rows}".encode()))
    if damage == "cut":
        del packed[len(packed) // 2 :]
    else:
        at = len(packed) // 2
        packed[at : at + 8] = bytes(255 - byte for byte in packed[at : at + 8])
    path = tmp_path / f"data.csv.{packer}"
    path.write_bytes(packed)
    if packer == "zst" and damage == "flipped":
        pytest.skip("its frames have no checksum unless asked for")
    with pytest.raises(InputError, match=r"data\.csv\.\w+ cannot be unpacked as .*: copy it again"):
        list(read_texts(open_table(path)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a.csv", "b.csv"), r"holds 2 files \(a.csv, b.csv\), and one table is taken"),
        ((), "is empty, and one table is taken"),
        (("xl/workbook.xml", "[Content_Types].xml"), "is an Excel workbook: .*--format xlsx"),
        (("a.doc",), "holds a file that ends in none of .csv.*--format"),
        (("a.parquet",), "is a packed parquet file: unpack it"),
        (("\x1b[2J.csv", "b.csv"), r"\\x1b\[2J.csv"),
    ],
)
def test_archives_of_other_than_one_table(
    tmp_path: Path, names: tuple[str, ...], message: str
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(b"text\none\n", *names))
    with pytest.raises(InputError, match=message):
        open_table(path)


@pytest.mark.parametrize("name", ["../../evil.csv", "/etc/evil.csv", "C:\\evil.csv"])
def test_names_in_an_archive_are_no_paths(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in" / "a.zip"
    path.parent.mkdir()
    path.write_bytes(zipped(b"text\none\n", name, "__MACOSX/._evil.csv", ".DS_Store"))
    assert list(read_texts(open_table(path))) == ["one"]
    assert [entry.name for entry in tmp_path.rglob("*")] == ["in", "a.zip"]


def test_what_is_packed_twice_or_cannot_be_packed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(gzip.compress(b"text\none\n")))
    with pytest.raises(InputError, match="is packed twice: unpack it once"):
        open_table(path)
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"]}), sink)
    path = tmp_path / "a.parquet.gz"
    path.write_bytes(gzip.compress(sink.getvalue()))
    with pytest.raises(InputError, match="is a packed parquet file: unpack it"):
        open_table(path)


def test_an_archive_with_a_password(tmp_path: Path) -> None:
    packed = bytearray(zipped(b"text\none\n", "a.csv"))
    packed[6] |= 1  # the flag of the local header, and of the directory
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(packed)
    with pytest.raises(InputError, match="cannot be unpacked as zip .*encrypted"):
        open_table(tmp_path / "a.zip")


def test_xz_that_asks_for_much_memory(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=filters)
    (tmp_path / "a.txt.xz").write_bytes(packer.compress(b"one\n") + packer.flush())
    with pytest.raises(InputError, match="cannot be unpacked as xz .*[Mm]emory"):
        open_table(tmp_path / "a.txt.xz")


@pytest.mark.parametrize("ending", ["csv", "txt", "jsonl", "json"])
@pytest.mark.parametrize("packer", ["gz", "xz", "zst"])
def test_a_small_file_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, packer: str
) -> None:
    """30 MB of one line in some KB; half of the limit is not reached by the ordinary."""
    monkeypatch.setattr(content, "LONGEST_LINE", 1 << 22)
    monkeypatch.setattr("features.tables.json_tables.LARGEST", 1 << 22)
    start = {"json": b'[{"text": "', "jsonl": b'{"text": "', "csv": b"text\n"}.get(ending, b"")
    path = tmp_path / f"bomb.{ending}.{packer}"
    path.write_bytes(PACKERS[packer](start + b"a" * 30_000_000))
    tracemalloc.start()
    with pytest.raises(InputError, match="more than 4 MiB"):
        read_dataset(open_table(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80_000_000
