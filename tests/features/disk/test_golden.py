"""Banks of every format version that was ever released open for ever."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from features import Bank
from features.disk.format import READABLE, VERSION
from features.upkeep.verify import verify

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = sorted(int(path.name.removeprefix("version-")) for path in GOLDEN.glob("version-?"))


def test_each_readable_version_has_a_golden_bank() -> None:
    assert {*VERSIONS} == READABLE
    assert max(VERSIONS) == VERSION


@pytest.mark.parametrize("version", VERSIONS)
def test_a_golden_bank_opens_for_ever(version: int) -> None:
    folder = GOLDEN / f"version-{version}"
    expected = json.loads((GOLDEN / f"version-{version}.json").read_text(encoding="utf-8"))
    texts = [text if isinstance(text, str) else tuple(text) for text in expected["texts"]]
    bank = Bank.open(folder)
    assert bank.fingerprint == expected["fingerprint"]
    assert bank.n_texts == 4
    assert {str(segment.dtype) for segment in bank.segments} == {"float16", "float32"}
    for selection in ("*[:]+pooler", "mean[-1]", "avg(cls[:])"):
        np.testing.assert_array_equal(
            bank.matrix(texts, selection), np.float32(expected[selection])
        )
    assert bank.n_tokens(texts).tolist() == expected["n_tokens"]
    assert bank.truncated(texts).tolist() == expected["truncated"]
    assert verify(folder).findings == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_plain_hdf5_reads_it_too(version: int) -> None:
    for path in (GOLDEN / f"version-{version}").glob("segment-*"):
        with h5py.File(path) as file:
            assert file.attrs["version"] == version
            assert file["mean/1"].shape == (file.attrs["n"], 3)
            assert np.isfinite(file["mean/1"][:]).all()
