"""The bank: what goes in comes out, in the order asked for, and nothing else."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import Bank, Banks, Selection, open_banks, text_keys
from features.errors import (
    BankError,
    CorruptSegment,
    FingerprintMismatch,
    InputError,
    MissingTexts,
    NotABank,
)
from features.selection import ResolvedTerm
from tests.made_up import SETUP, SOURCE, add, values_of

TEXTS = ["one", "two", ("a prompt", "an essay"), "🙂 ünï\x00code", "<pad>", "x" * 100_000, " two"]


def expected(texts: list, blocks: list[int]) -> np.ndarray:
    return np.stack([values_of(text)[blocks].ravel() for text in texts])


def test_every_block_comes_back_bit_for_bit(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS)
    assert bank.n_texts == len(TEXTS)
    np.testing.assert_array_equal(bank.matrix(TEXTS, "*[:]+pooler"), expected(TEXTS, [*range(10)]))
    np.testing.assert_array_equal(bank.matrix(TEXTS, "mean[-1]"), expected(TEXTS, [5]))
    np.testing.assert_array_equal(bank.n_tokens(TEXTS), [len(str(text)) for text in TEXTS])
    np.testing.assert_array_equal(bank.truncated(TEXTS), [len(str(text)) > 5 for text in TEXTS])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(order=st.lists(st.sampled_from(TEXTS), max_size=20))
def test_matrix_keeps_order_and_duplicates(make_bank: Callable[..., Bank], order: list) -> None:
    bank = make_bank()
    if not bank.n_texts:
        add(bank, TEXTS[:3])
        add(bank, TEXTS[3:])
    matrix = bank.matrix(order, "cls[0]+max[1]")
    assert matrix.shape == (len(order), 8)
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    for row, text in zip(matrix, order, strict=True):
        np.testing.assert_array_equal(row, values_of(text)[[0, 7]].ravel())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"])) | st.tuples(st.text("ab"), st.text("ab"))
)
def test_any_text_is_a_key(text: str | tuple[str, str]) -> None:
    assert text_keys([text]).shape == (1, 32)


def test_parts_are_told_apart() -> None:
    keys = text_keys([("ab", "c"), ("a", "bc"), "abc", ("abc", ""), ("abc",)])
    assert len(np.unique(keys, axis=0)) == 4  # one part is the string itself


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InputError, match="surrogate"):
        text_keys(["\ud800"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one string", "give a list"),
        (["a", None], "text 2 is no"),
        ([("a", 1)], "text 1 has a part"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        text_keys(texts)


def test_averages_and_column_names(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS)
    average = bank.matrix(TEXTS, "avg(mean[:])")
    np.testing.assert_allclose(
        average, np.mean([values_of(t)[3:6] for t in TEXTS], axis=1), rtol=1e-6
    )
    assert bank.column_names("mean[-1]+pooler")[3:5] == ["mean.2.3", "pooler.0"]
    assert bank.column_names("avg(cls[:2])")[0] == "avg(cls.0,cls.1).0"


def test_missing_texts_are_counted(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(["one"])
    with pytest.raises(MissingTexts, match=r"lacks 2 .* row 2: .*layerbank extract") as caught:
        bank.matrix(["one", "two", "three", "two"], "mean[0]")
    assert caught.value.count == 2
    assert caught.value.positions == (1, 2, 3)
    np.testing.assert_array_equal(bank.contains(["two", "one"]), [False, True])


def test_a_text_added_twice_counts_once(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(["one", "two"])
    add(bank, ["two", "three"])
    assert bank.n_texts == 3
    assert len(bank.segments) == 2
    assert Bank.open(bank.path).n_texts == 3


def test_half_precision_keeps_large_rows_in_float32(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(precision="bf16")
    blocks = np.stack([values_of(text) for text in TEXTS])
    blocks[2, 4, 1] = 70_000.5
    with bank.writer({}) as writer:
        writer.add(text_keys(TEXTS), np.ones(7, np.int32), np.zeros(7, bool), blocks)
    bank.refresh()
    assert {str(segment.dtype): segment.n for segment in bank.segments} == {
        "float16": 6,
        "float32": 1,
    }
    matrix = bank.matrix(TEXTS, "*[:]+pooler").reshape(blocks.shape)
    np.testing.assert_array_equal(matrix[2], blocks[2])
    rest = [i for i in range(7) if i != 2]
    np.testing.assert_array_equal(matrix[rest], blocks[rest].astype(np.float16))


def test_full_segments_are_committed_on_the_way(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank()
    texts = [f"text {i}" for i in range(50)]
    row = len(bank.blocks) * 4 * 4
    add(bank, texts, segment_bytes=8 * row)
    assert [segment.n for segment in bank.segments] == [8, 8, 8, 8, 8, 8, 2]
    np.testing.assert_array_equal(bank.matrix(texts, "cls[1]"), expected(texts, [1]))
    lines = (bank.path / "commits.log").read_text().splitlines()
    assert len(lines) == 7


def test_an_error_does_not_lose_what_was_added(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank()
    with pytest.raises(KeyboardInterrupt), bank.writer({}) as writer:
        writer.add(
            text_keys(["one"]), np.ones(1, np.int32), np.zeros(1, bool), values_of("one")[None]
        )
        raise KeyboardInterrupt
    assert Bank.open(bank.path).n_texts == 1


def test_numbers_that_are_not_finite_are_refused(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank()
    blocks = values_of("one")[None].copy()
    blocks[0, 3, 2] = np.inf
    with bank.writer({}) as writer, pytest.raises(BankError, match="not finite"):
        writer.add(text_keys(["one"]), np.ones(1, np.int32), np.zeros(1, bool), blocks)


def test_the_same_setup_opens_and_another_is_refused(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(["one"])
    assert make_bank().n_texts == 1
    changed = {**SETUP, "max_length": 256, "config": {**SETUP["config"], "hidden_act": "relu"}}
    with pytest.raises(FingerprintMismatch, match="config.hidden_act.*max_length: 512 there, 256"
                       ) as caught:  # fmt: skip
        Bank.create(bank.path, changed, SOURCE)
    assert caught.value.fields == ("config.hidden_act", "max_length")


def test_folders_that_are_no_bank(tmp_path: Path) -> None:
    with pytest.raises(NotABank, match="is not a bank"):
        Bank.open(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(NotABank, match="holds other files"):
        Bank.create(tmp_path, SETUP, SOURCE)
    with pytest.raises(NotABank, match="is a file"):
        Bank.create(tmp_path / "notes.txt", SETUP, SOURCE)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "format version 99, and this layerbank reads 1: install a newer"),
        ({"version": 0}, "format version 0, .* so extract the texts again"),
        ({"format": "parquet"}, "not the manifest"),
        ({"setup": {**SETUP, "max_length": 3}}, "damaged or edited"),
    ],
)
def test_manifests_that_cannot_be_trusted(
    make_bank: Callable[..., Bank], change: dict, message: str
) -> None:
    path = make_bank().path / "bank.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BankError, match=message):
        Bank.open(path.parent)


def test_a_segment_of_another_bank_is_refused(make_bank: Callable[..., Bank]) -> None:
    one, other = make_bank(["one"]), make_bank(["two"], "other.bank", max_length=9)
    segment = next(one.path.glob("segment-*"))
    (other.path / segment.name).write_bytes(segment.read_bytes())
    with pytest.raises(CorruptSegment, match="belongs to another bank"):
        Bank.open(other.path)


def test_a_flipped_bit_is_never_read(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS)
    (path,) = bank.path.glob("segment-*")
    with h5py.File(path) as file:
        offset = file["mean/2"].id.get_offset()
    data = bytearray(path.read_bytes())
    data[offset + 9] ^= 4
    path.write_bytes(data)
    damaged = Bank.open(bank.path)
    np.testing.assert_array_equal(damaged.matrix(TEXTS, "mean[1]"), expected(TEXTS, [4]))
    with pytest.raises(CorruptSegment, match=r"damaged numbers in /mean/2.*layerbank verify"):
        damaged.matrix(TEXTS, "mean[2]")


def test_segments_are_plain_hdf5(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS)
    (path,) = bank.path.glob("segment-*")
    with h5py.File(path) as file:
        assert file["mean/2"].shape == (7, 4)
        assert file["mean/2"].chunks is None
        assert file["mean/2"].id.get_offset() % 4096 == 0
        assert json.loads(file.attrs["provenance"]) == {"engine": "made up"}
        np.testing.assert_array_equal(file["mean/2"][:], expected(TEXTS, [5]))


def test_an_overlay_adds_texts(make_bank: Callable[..., Bank]) -> None:
    bank, scratch = make_bank(["one", "two"]), make_bank(["three"], "scratch.bank")
    both = Bank.open(bank.path, overlay=scratch.path)
    assert both.n_texts == 3
    np.testing.assert_array_equal(
        both.matrix(["three", "one"], "max[0]"), expected(["three", "one"], [6])
    )
    with pytest.raises(FingerprintMismatch):
        Bank.open(bank.path, overlay=make_bank([], "other.bank", max_length=9).path)


def test_two_banks_side_by_side(make_bank: Callable[..., Bank]) -> None:
    one = make_bank(TEXTS, "one.bank")
    two = make_bank(TEXTS, "two.bank", hidden_size=6, pooler=False)
    banks = open_banks([one.path, two.path])
    matrix = banks.matrix(TEXTS, "two/mean[1]+one/cls[0]")
    np.testing.assert_array_equal(
        matrix, np.hstack([two.matrix(TEXTS, "mean[1]"), one.matrix(TEXTS, "cls[0]")])
    )
    assert banks.column_names("two/mean[1]+one/cls[0]")[5:7] == ["two/mean.1.5", "one/cls.0.0"]
    with pytest.raises(InputError, match="different names"):
        open_banks([one.path, one.path])
    with pytest.raises(MissingTexts):
        banks.matrix(["none"], "one/cls[0]")


@pytest.mark.parametrize("name", ["my bank", "a+b", "a,b", "a[0]", "(a)"])
def test_a_name_that_no_selection_can_hold(make_bank: Callable[..., Bank], name: str) -> None:
    one, two = make_bank(TEXTS, f"{name}.bank"), make_bank(TEXTS, "two.bank")
    np.testing.assert_array_equal(
        open_banks([one.path]).matrix(TEXTS, "cls[0]"), one.matrix(TEXTS, "cls[0]")
    )
    with pytest.raises(InputError, match=f"{re.escape(repr(name))}: rename the folder"):
        open_banks([two.path, one.path])


def test_banks_that_no_selection_names_have_any_name(make_bank: Callable[..., Bank]) -> None:
    class Alike(Banks):  # as the banks of the folds are
        def resolve(self, selection: str | Selection) -> tuple[ResolvedTerm, ...]:
            return tuple(t for bank in self.by_name.values() for t in bank.resolve(selection))

    one, two = make_bank(TEXTS, "fold 1.bank"), make_bank(TEXTS, "fold 2.bank")
    assert Alike([one, two]).matrix(TEXTS, "cls[0]").shape == (len(TEXTS), 8)


def test_a_read_only_bank_can_be_read(make_bank: Callable[..., Bank]) -> None:
    bank = make_bank(TEXTS)
    for path in [*bank.path.iterdir(), bank.path]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert Bank.open(bank.path).matrix(TEXTS, "cls[0]").shape == (7, 4)
    finally:
        bank.path.chmod(0o755)


def test_a_bank_travels_to_another_process_by_its_path(make_bank: Callable[..., Bank]) -> None:
    bank, scratch = make_bank(["one", "two"]), make_bank(["three"], "scratch.bank")
    both = Bank.open(bank.path, overlay=scratch.path)
    matrix = both.matrix(["three", "one"], "max[0]")
    again = pickle.loads(pickle.dumps(both))
    np.testing.assert_array_equal(again.matrix(["three", "one"], "max[0]"), matrix)


def test_a_bank_has_a_length_and_texts_in_it(tmp_path: Path) -> None:
    bank = Bank.create(tmp_path / "b.bank", SETUP, SOURCE)
    assert len(bank) == 0
    add(bank, ["a", ("b", "c")])
    assert len(bank) == 2
    assert "a" in bank
    assert ("b", "c") in bank
    assert "b" not in bank
