"""Exports: plain files that other tools open, whole or not at all, in bounded memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from features import Bank
from features.cli import app
from features.console.app import run as run_app
from features.errors import InputError, MissingTexts
from features.export import WRITERS, export

TEXTS = [f"a text, number {i}" for i in range(40)]
IDS = [f"id-{i}" for i in range(40)]


@pytest.fixture
def bank(make_bank: Callable[..., Bank]) -> Bank:
    return make_bank(TEXTS)


@pytest.mark.parametrize("chunk_bytes", [1, 400, 32 << 20])
@pytest.mark.parametrize("ending", WRITERS)
def test_every_format_gives_the_matrix(
    bank: Bank, tmp_path: Path, ending: str, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.export.CHUNK_BYTES", chunk_bytes)
    order = [*TEXTS[::-1], TEXTS[3], TEXTS[3]]
    ids = [*IDS, 'again, "quoted"', "ünï"]
    out = export(bank, order, "mean[:]+pooler", tmp_path / f"new/out{ending}", ids=ids)
    X, names = bank.matrix(order, "mean[:]+pooler"), bank.column_names("mean[:]+pooler")
    if ending == ".npy":
        found = np.load(out)
        assert found.flags.c_contiguous
    elif ending == ".h5":
        with h5py.File(out) as file:
            found = file["X"][:]
            assert file["X"].dtype == np.dtype("<f4")
            assert [*file["columns"].asstr()[:]] == names
            assert [*file["id"].asstr()[:]] == ids
            np.testing.assert_array_equal(file["n_tokens"][:], bank.n_tokens(order))
            np.testing.assert_array_equal(file["truncated"][:], bank.truncated(order))
            assert file.attrs["selection"] == "mean[:]+pooler"
    else:
        frame = pd.read_parquet(out) if ending == ".parquet" else pd.read_csv(out)
        assert [*frame.columns] == ["id", "n_tokens", "truncated", *names]
        assert [*frame["id"]] == ids
        assert [*frame["n_tokens"]] == [*bank.n_tokens(order)]
        found = frame[names].to_numpy(np.float32)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, X)
    assert os.listdir(out.parent) == [out.name]


@pytest.mark.parametrize("ending", WRITERS)
def test_no_rows_are_a_file_without_rows(bank: Bank, tmp_path: Path, ending: str) -> None:
    out = export(bank, [], "mean[0]", tmp_path / f"out{ending}")
    if ending == ".npy":
        assert np.load(out).shape == (0, 4)
    elif ending == ".h5":
        with h5py.File(out) as file:
            assert file["X"].shape == (0, 4)
    else:
        frame = pd.read_parquet(out) if ending == ".parquet" else pd.read_csv(out)
        assert frame.shape == (0, 6)


@pytest.mark.parametrize("ending", WRITERS)
def test_a_repeated_block_has_its_columns_each_time(
    bank: Bank, tmp_path: Path, ending: str
) -> None:
    selection = "mean[0,0]+cls[1]+mean[0]"
    out, X = export(bank, TEXTS, selection, tmp_path / f"o{ending}"), bank.matrix(TEXTS, selection)
    stems = ["mean.0.{}", "mean.0.{}_2", "cls.1.{}", "mean.0.{}_3"]
    names = [stem.format(i) for stem in stems for i in range(bank.hidden_size)]
    if ending == ".npy":
        found = np.load(out)
    elif ending == ".h5":
        with h5py.File(out) as file:
            found = file["X"][:]
            assert [*file["columns"].asstr()[:]] == names
    else:
        frame = pd.read_parquet(out) if ending == ".parquet" else pd.read_csv(out)
        assert [*frame.columns] == ["n_tokens", "truncated", *names]
        found = frame[names].to_numpy(np.float32)
    np.testing.assert_array_equal(found, X)


def test_refusals_leave_what_was_there(bank: Bank, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    with pytest.raises(MissingTexts, match="lacks 1"):
        export(bank, [*TEXTS, "another"], "mean[0]", out)
    assert not out.exists()
    export(bank, TEXTS, "mean[0]", out)
    before = out.read_bytes()
    with pytest.raises(InputError, match="--force to replace it .in Python force=True"):
        export(bank, TEXTS, "mean[1]", out)
    assert out.read_bytes() == before
    export(bank, TEXTS, "mean[1]", out, force=True)
    assert out.read_bytes() != before
    with pytest.raises(InputError, match=r"none of \.h5, \.npy, \.parquet, \.csv"):
        export(bank, TEXTS, "mean[0]", tmp_path / "out.xlsx")


def test_h5dump_reads_the_hdf5(bank: Bank, tmp_path: Path) -> None:
    h5dump = shutil.which("h5dump")
    if h5dump is None:
        pytest.skip("h5dump is not installed")
    out = export(bank, TEXTS, "mean[0]", tmp_path / "out.h5")
    (segment,) = bank.path.glob("segment-*")
    for path in (out, segment):
        told = subprocess.run([h5dump, "-H", path], capture_output=True, text=True, check=True)
        assert "H5T_IEEE_F32LE" in told.stdout


_MEASURE = """
import resource, sys
from pathlib import Path
from features import Bank
from features import export as module
from features.export import export
module.CHUNK_BYTES = 4 << 20
bank, n, out = Bank.open(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
texts = [f"text {i % 500}" for i in range(n)]
export(bank, texts[:10], "cls[:]", Path(out).with_stem("warm"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
export(bank, texts, "cls[:]", out)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("ending", WRITERS)
def test_memory_does_not_grow_with_the_rows(
    make_bank: Callable[..., Bank], tmp_path: Path, ending: str
) -> None:
    bank = make_bank([f"text {i}" for i in range(500)], hidden_size=256, poolings=["cls"])
    n = 20_000  # 61 MB of float32, and a chunk is 4 MiB
    command = [sys.executable, "-c", _MEASURE, bank.path, str(n), tmp_path / f"out{ending}"]
    told = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    grown = int(told.stdout) * 1024
    assert grown < (45 << 20)


def test_ctrl_c_says_that_nothing_was_written(
    bank: Bank,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(WRITERS, ".npy", stopped)
    (tmp_path / "rows.csv").write_text("text\n" + "\n".join(TEXTS).replace(",", "") + "\n")
    (tmp_path / "rows.txt").write_text("\n".join(TEXTS) + "\n")
    call = ["export", bank.path, "--select", "mean[1]", "--rows", tmp_path / "rows.txt"]
    with pytest.raises(SystemExit) as caught:
        run_app(app, [*map(str, call), "--out", str(tmp_path / "X.npy")])
    assert caught.value.code == 130
    assert capsys.readouterr().err == "stopped: nothing was written\n"
    assert not (tmp_path / "X.npy").exists()
