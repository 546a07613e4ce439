"""Texts are taken literally, and cut off where they must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract.checkpoint.checkpoint import Checkpoint
from extract.texts.tokenizer import Tokenizer
from features.errors import EncoderError, InputError
from tests.tiny_encoders import SPECIAL, save_encoder, save_tokenizer

KINDS = ("bpe", "unigram", "wordpiece")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("tokenizers")
    return {kind: save_encoder(save_tokenizer(root / kind, kind), "roberta") for kind in KINDS}


def load(folder: Path, max_length: int = 512) -> Tokenizer:
    return Tokenizer.load(Checkpoint.find(str(folder)), max_length)


def theirs(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, split_special_tokens=True)


texts_with_literals = st.lists(
    st.one_of(st.text(max_size=20), st.sampled_from([*SPECIAL, "[MASK]", " ", "<pad", "ad>"])),
    max_size=6,
).map("".join)


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts_with_literals)
def test_no_text_gives_a_special_token(folders: dict[str, Path], kind: str, text: str) -> None:
    tokenizer = _loaded(folders[kind])
    (tokens,) = tokenizer.encode([text])
    assert [tokens.ids[0], tokens.ids[-1]] == [0, 2]
    # Only the unknown token (3) may stand for characters.
    assert not set(tokens.ids[1:-1].tolist()) & {0, 1, 2, 4}


_cache: dict[Path, Tokenizer] = {}


def _loaded(folder: Path) -> Tokenizer:
    return _cache.setdefault(folder, load(folder))


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60), other=st.one_of(st.none(), st.text(min_size=1)))
def test_other_texts_are_tokenised_as_transformers_does(
    folders: dict[str, Path], kind: str, text: str, other: str | None
) -> None:
    parts = (text,) if other is None else (text, other)
    expected = _theirs(folders[kind])(*parts, truncation=True, max_length=16)
    (tokens,) = _short(folders[kind]).encode([parts])
    assert tokens.ids.tolist() == expected["input_ids"]
    if other is not None:
        assert tokens.type_ids is not None
        assert tokens.type_ids.tolist() == expected["token_type_ids"]


_their_cache: dict[Path, Any] = {}
_short_cache: dict[Path, Tokenizer] = {}


def _theirs(folder: Path) -> Any:
    return _their_cache.get(folder) or _their_cache.setdefault(folder, theirs(folder))


def _short(folder: Path) -> Tokenizer:
    return _short_cache.get(folder) or _short_cache.setdefault(folder, load(folder, 16))


def test_literals_of_a_real_encoder_are_text(minilm_folder: Path) -> None:
    tokenizer = load(minilm_folder)
    for literal in ("[CLS]", "[SEP]", "[PAD]", "[MASK]"):
        (tokens,) = tokenizer.encode([f"a {literal} b"])
        assert not set(tokens.ids[1:-1].tolist()) & {0, 101, 102, 103}
        assert len(tokens.ids) > 6


def test_long_texts_are_cut_off(tiny_roberta: Path) -> None:
    tokenizer = load(tiny_roberta, 10)
    long, short, pair = tokenizer.encode(["word " * 20_000, "a", ("b", "word " * 50)])
    assert (len(long.ids), long.truncated) == (10, True)
    assert (len(short.ids), short.truncated) == (3, False)
    assert (len(pair.ids), pair.truncated) == (10, True)
    (exact,) = load(tiny_roberta, len(short.ids)).encode(["a"])
    assert not exact.truncated


@pytest.mark.parametrize(("max_length", "texts"), [(2, ["a"]), (4, [("a", "b")])])
def test_too_short_a_maximum_is_refused(
    tiny_roberta: Path, max_length: int, texts: list[Any]
) -> None:
    with pytest.raises(InputError, match=f"--max-length {max_length + 1}"):
        load(tiny_roberta, max_length).encode(texts)


def test_many_texts_come_back_in_order(tiny_roberta: Path) -> None:
    tokenizer = load(tiny_roberta)
    texts = [f"number {i}" for i in range(1200)]
    together = tokenizer.encode(texts)
    for i in (0, 511, 512, 1199):
        np.testing.assert_array_equal(together[i].ids, tokenizer.encode([texts[i]])[0].ids)


def test_a_tokenizer_of_another_encoder_is_refused(tiny_roberta: Path, tmp_path: Path) -> None:
    import json
    import shutil

    shutil.copytree(tiny_roberta, tmp_path / "copy")
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    (tmp_path / "copy" / "config.json").write_text(json.dumps({**config, "vocab_size": 20}))
    with pytest.raises(EncoderError, match="do not belong together"):
        load(tmp_path / "copy").encode(["any text at all"])


def test_a_damaged_tokenizer_is_refused(tiny_roberta: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(tiny_roberta, tmp_path / "copy")
    (tmp_path / "copy" / "tokenizer.json").write_text('{"model": 1}')
    with pytest.raises(EncoderError, match="tokenizer in .* cannot be loaded"):
        load(tmp_path / "copy")
