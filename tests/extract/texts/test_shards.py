"""Job arrays: shards in any order, repeated, lost, at once or apart, make the one bank."""

from __future__ import annotations

import random
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract import extract
from extract.texts.input import Picked, Shard
from extract.texts.stream import NewStretches, NewTexts, count_new
from features.errors import InputError
from features.upkeep.merge import merge
from tests.extract.same_bank import assert_same, made_up_texts, n_rows

TEXTS = made_up_texts(60)


@pytest.fixture(scope="module")
def whole(tiny_roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bank of one process."""
    bank = tmp_path_factory.mktemp("whole") / "whole.bank"
    extract(TEXTS, bank, encoder=str(tiny_roberta), precision="fp32")
    return bank


text = st.text(st.characters(exclude_categories=["Cs"])).filter(bool)


@given(st.lists(text | st.tuples(text, text)), st.integers(1, 20), st.randoms())
def test_every_text_is_of_one_shard_wherever_it_stands(
    texts: list[str | tuple[str, str]], n: int, chance: random.Random
) -> None:
    shuffled = chance.sample(texts, len(texts))
    shards = [set(Picked(texts, Shard(i, n))) for i in range(n)]
    assert [set(Picked(shuffled, Shard(i, n))) for i in range(n)] == shards
    assert sum(map(len, shards)) == len(set(texts))
    assert set().union(*shards) == set(texts)


def test_shards_are_of_like_size() -> None:
    sizes = [len(list(Picked(made_up_texts(8_000), Shard(i, 8)))) for i in range(8)]
    assert min(sizes) > 850  # 1,000 is expected, with a standard deviation of 30
    assert max(sizes) < 1_150


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("16/16", "there is no shard 16 of 16, since shards count from 0: give --shard 0/16 to"),
        ("0/0", "give --shard 0/1, or more than 0 of them"),
        ("3", "'3' is no shard: give --shard i/n, such as 0/16"),
        ("-1/4", "'-1/4' is no shard"),
        ("/4", "'/4' is no shard"),
    ],
)  # fmt: skip
def test_no_such_shard(given: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message.replace("/", "\\/").replace("?", "\\?")):
        extract(TEXTS, tmp_path / "a.bank", shard=given)


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 1, 0, 2, 0]])
def test_any_order_and_repeats_end_in_the_same_bank(
    order: list[int], whole: Path, bank: Path, tiny_roberta: Path
) -> None:
    chance = random.Random(1)
    for index in order:
        texts = chance.sample(TEXTS, len(TEXTS))
        extract(texts, bank, encoder=str(tiny_roberta), precision="fp32", shard=f"{index}/3")
    assert_same(bank, whole, TEXTS)
    assert n_rows(bank) == len(TEXTS)


@pytest.mark.parametrize("devices", [None, "cpu,cpu"])
def test_an_error_names_a_text_by_its_place_in_the_whole_input(
    devices: str | None, bank: Path, tiny_roberta: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.pipeline.NewStretches", partial(NewStretches, remembered=7))
    for number in (1, 30):
        texts: list[Any] = [*TEXTS[: number - 1], None, *TEXTS]
        with pytest.raises(InputError, match=f"text {number} is no string but NoneType"):
            extract(texts, bank, encoder=str(tiny_roberta), devices=devices)
        with pytest.raises(InputError, match=f"text {number} is no string but NoneType"):
            extract(texts, bank, encoder=str(tiny_roberta), devices=devices, shard="1/3")
    assert not bank.exists()


@pytest.mark.parametrize("shard", [None, Shard(1, 3)])
def test_stretches_keep_the_numbers_of_the_whole_input(shard: Shard | None, bank: Path) -> None:
    texts = [*TEXTS, *TEXTS[:5]]
    of_shard = [text for text in texts if shard is None or shard.has(text)]
    in_one = NewTexts(Picked(texts, shard), None, 4)
    in_several = NewStretches(bank, None, Picked(texts, shard), 4, remembered=7)
    later = iter(lambda: in_several.next(all_committed=True), None)
    for stretches in (list(in_one), list(later)):
        assert {text for stretch in stretches for text in stretch.texts} == set(of_shard)
        for stretch in stretches:
            assert [texts[number - 1] for number in stretch.numbers] == stretch.texts
    assert in_one.n_read == in_several.n_read == len(of_shard)
    assert in_one.n_new == len(set(of_shard))
    assert count_new(None, Picked(texts, shard), remembered=7) == in_several.n_new


def call(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "layerbank", "extract", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_at_the_same_time_in_one_folder_and_a_lost_one_later(
    whole: Path, bank: Path, tiny_roberta: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("\n".join(TEXTS) + "\n")
    options = [tmp_path / "a.txt", "--bank", bank, "--encoder", tiny_roberta, "--precision", "fp32"]
    at_once = [call(*options, "--shard", f"{i}/3") for i in (0, 2)]
    said = [process.communicate() for process in at_once]
    assert [process.returncode for process in at_once] == [0, 0], said
    dry = call(*options, "--shard", "1/3", "--dry-run")
    n = len(list(Picked(TEXTS, Shard(1, 3))))
    assert f"texts      {n}, of which {n} are new" in dry.communicate()[0]
    lost = call(*options, "--shard", "1/3", "--devices", "cpu")
    assert f"{n} texts new, 0 reused" in lost.communicate()[0]
    assert_same(bank, whole, TEXTS)
    assert n_rows(bank) == len(TEXTS)


def test_banks_of_their_own_are_joined(whole: Path, bank: Path, tiny_roberta: Path) -> None:
    parts = [bank.with_name(f"{i}.bank") for i in range(2)]
    for i, part in enumerate(parts):
        extract(TEXTS, part, encoder=str(tiny_roberta), precision="fp32", shard=f"{i}/2")
    assert merge(parts, bank) == len(TEXTS)
    assert merge(parts[:1], bank) == 0
    assert_same(bank, whole, TEXTS)


def test_a_shard_without_texts_is_done_at_once(bank: Path, tiny_roberta: Path) -> None:
    empty = next(i for i in range(9) if not list(Picked(TEXTS[:2], Shard(i, 9))))
    report = extract(TEXTS[:2], bank, encoder=str(tiny_roberta), shard=f"{empty}/9")
    assert (report.n_new, report.n_reused, report.bank_bytes) == (0, 0, 0)
    assert not bank.exists()
    with pytest.raises(InputError, match="there are no texts"):
        extract([], bank, encoder=str(tiny_roberta), shard="0/9")
