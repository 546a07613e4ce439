"""Arrow files and streams, and folders of data sets: checked before a value of them is taken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather

from features.errors import InputError
from features.tables.table import open_table, read_dataset, read_texts

TABLE = pa.table({"text": ["one", "two", None, "é🙂"], "y": [1.0, 2.5, 3.0, 4.0]})
TEXTS = ["one", "two", "é🙂"]


def stream(path: Path, table: pa.Table, *, close: bool = True) -> None:
    with pa.OSFile(str(path), "wb") as file:
        out = pa.ipc.new_stream(file, table.schema)
        for batch in table.to_batches(max_chunksize=2):
            out.write_batch(batch)
        if close:
            out.close()


def saved(folder: Path, *tables: pa.Table, **state: object) -> Path:
    """A folder as ``Dataset.save_to_disk`` leaves it."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{len(tables):05d}.arrow" for i in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        stream(folder / name, table)
    described = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(described | state))
    (folder / "dataset_info.json").write_text("{}")
    return folder


@pytest.mark.parametrize("kind", ["file", "stream", "feather", "lz4", "uncompressed"])
def test_arrow_files_and_streams(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("a.feather" if kind in ("feather", "lz4", "uncompressed") else "a.arrow")
    if kind == "stream":
        stream(path, TABLE)
    elif kind == "file":
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, TABLE.schema) as out:
            out.write_table(TABLE, max_chunksize=2)
    else:
        feather.write_feather(TABLE, path, compression="zstd" if kind == "feather" else kind)
    assert list(read_texts(open_table(path), skip_empty=True)) == TEXTS
    with pytest.raises(InputError, match="empty or missing text in row 3"):
        read_dataset(open_table(path), target=["y"])


def test_a_column_of_categories(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": pd.Categorical(["a", "b", "a"]), "y": np.float32([1, 2, 3])})
    frame.to_feather(tmp_path / "a.feather")
    dataset = read_dataset(open_table(tmp_path / "a.feather"), target=["y"])
    assert (dataset.texts, dataset.targets[:, 0].tolist()) == (["a", "b", "a"], [1, 2, 3])


@pytest.mark.parametrize("at", [slice(0, 40), slice(60, 200), slice(-60, -8), slice(1500, 1700)])
def test_a_damaged_arrow_file_is_named(tmp_path: Path, at: slice) -> None:
    path = tmp_path / "a.arrow"
    table = pa.table({"text": [f"text {i}" for i in range(500)]})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table)
    damaged = bytearray(path.read_bytes())
    damaged[at] = b"\xff" * len(damaged[at])
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"a\.arrow (is no Arrow file|does not end|has a string)"):
        list(read_texts(open_table(path)))


def test_offsets_that_lead_out_of_a_buffer(tmp_path: Path) -> None:
    """They are refused, not read: what is in memory there is not the file's."""
    stream(tmp_path / "a.arrow", pa.table({"text": ["hello", "you"]}))
    content = (tmp_path / "a.arrow").read_bytes()
    offsets, forged = (np.array([0, 5, end], np.int32).tobytes() for end in (8, 1 << 24))
    assert content.count(offsets) == 1
    (tmp_path / "a.arrow").write_bytes(content.replace(offsets, forged))
    with pytest.raises(InputError, match="is no Arrow file that can be read"):
        list(read_texts(open_table(tmp_path / "a.arrow")))


def test_a_stream_that_lost_its_end(tmp_path: Path) -> None:
    stream(tmp_path / "a.arrow", TABLE, close=False)
    with pytest.raises(InputError, match="does not end as an Arrow stream does"):
        open_table(tmp_path / "a.arrow")


def test_feather_of_the_first_version(tmp_path: Path) -> None:
    (tmp_path / "a.feather").write_bytes(b"FEA1" + bytes(60) + b"FEA1")
    with pytest.raises(InputError, match="Feather's first version: write it anew"):
        open_table(tmp_path / "a.feather")


def test_a_saved_data_set(tmp_path: Path) -> None:
    folder = saved(tmp_path / "data", TABLE, TABLE.slice(0, 1))
    dataset = read_dataset(open_table(folder), target=["y"], skip_empty=True)
    assert dataset.texts == [*TEXTS, "one"]
    assert dataset.targets[:, 0].tolist() == [1.0, 2.5, 4.0, 1.0]
    assert dataset.rows.tolist() == [1, 2, 4, 5]


def test_a_data_set_that_its_own_library_saved(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    both = datasets.Dataset.from_dict({"text": TEXTS}).train_test_split(1, shuffle=False)
    both.save_to_disk(str(tmp_path / "both"))
    assert list(read_texts(open_table(tmp_path / "both" / "train"))) == TEXTS[:2]
    with pytest.raises(InputError, match=r"several tables \(train, test\): give one, such as"):
        open_table(tmp_path / "both")


def test_a_folder_of_splits(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    saved(folder / "train", TABLE)
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(InputError, match=r"several tables \(train, test\): .* \S+/data/train"):
        open_table(folder)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"_data_files": [{"filename": "../secret.arrow"}]}, "no file of the folder"),
        ({"_data_files": [{"filename": "/etc/passwd"}]}, "no file of the folder"),
        ({"_data_files": [{"filename": "a/b.arrow"}]}, "no file of the folder"),
        ({"_data_files": [{"filename": 5}]}, "no file of the folder"),
        ({"_data_files": ["data-00000-of-00001.arrow"]}, "no file of the folder"),
        ({"_data_files": [{"filename": "gone.arrow"}]}, "gone.arrow is not there"),
        ({"_data_files": [{"filename": "link.arrow"}]}, "leads out of its folder"),
        ({"_data_files": []}, "names no files"),
        ({"_indices_data_files": [{"filename": "x"}]}, "flatten_indices"),
    ],
)
def test_data_sets_that_are_forged(tmp_path: Path, state: dict, message: str) -> None:
    stream(tmp_path / "secret.arrow", TABLE)
    folder = saved(tmp_path / "data", TABLE, **state)
    (folder / "link.arrow").symlink_to(tmp_path / "secret.arrow")
    with pytest.raises(InputError, match=message):
        open_table(folder)


def test_data_sets_that_are_damaged(tmp_path: Path) -> None:
    folder = saved(tmp_path / "data", TABLE, TABLE.rename_columns(["words", "y"]))
    with pytest.raises(InputError, match="has other columns in data-00001"):
        open_table(folder)
    (folder / "state.json").write_text("{")
    with pytest.raises(InputError, match=r"state\.json cannot be read"):
        open_table(folder)
    (folder / "state.json").write_text("[]")
    with pytest.raises(InputError, match=r"state\.json holds no object"):
        open_table(folder)
