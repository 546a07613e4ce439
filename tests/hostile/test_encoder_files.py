"""An encoder's folder from a stranger: refused in one sentence, at once, or the encoder itself."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extract import extract
from features.errors import EncoderError
from tests.piece_models import save_piece_model
from tests.tiny_encoders import save_encoder, save_tokenizer

FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors",
         "special_tokens_map.json", "generation_config.json", "adapter_config.json")  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder with a tokenizer of the kind that has most to it."""
    folder = tmp_path_factory.mktemp("saved") / "encoder"
    return save_encoder(save_tokenizer(folder, "unigram"), "roberta", layers=1)


@pytest.fixture
def encoder(saved: Path, tmp_path: Path) -> Path:
    """A copy that may be spoiled."""
    return Path(shutil.copytree(saved, tmp_path / "encoder"))


def refused(encoder: Path, match: str) -> None:
    bank = encoder.with_name("a.bank")
    with pytest.raises(EncoderError, match=match) as caught:
        extract(["the river froze"], bank, encoder=str(encoder), engine="torch")
    assert "\n" not in str(caught.value)
    assert not bank.exists()


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a pipe"])
def test_a_pipe_or_device_is_not_waited_for(encoder: Path, name: str, kind: str) -> None:
    path = encoder / name
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        os.mkfifo(encoder.with_name("pipe"))
        path.symlink_to("/dev/zero" if kind == "device" else encoder.with_name("pipe"))
    refused(encoder, f"{name} is no regular file")


def test_links_to_files_are_followed(encoder: Path) -> None:
    """As the hub's cache lays encoders out."""
    blobs = encoder.with_name("blobs")
    blobs.mkdir()
    for path in [*encoder.iterdir()]:
        path.rename(blobs / path.name)
        path.symlink_to(blobs / path.name)
    report = extract(["one"], encoder.with_name("a.bank"), encoder=str(encoder), engine="torch")
    assert report.n_new == 1


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    "content",
    ["[" * 10**5, '{"a":' * 10**5, "[]", "", "\ufffe", "\udcff{}", '{"a": 1e999}', '{"a": NaN}'],
    ids=["lists", "objects", "a list", "nothing", "no text", "no utf-8", "too large", "no number"],
)
def test_json_that_is_none_or_nested_too_deep(encoder: Path, name: str, content: str) -> None:
    (encoder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    refused(encoder, f"{name} (cannot be read as JSON|holds no JSON object)")


def charsmap(content: bytes) -> dict[str, str]:
    """A table of characters that the tokenizer's library reads without looking."""
    return {
        "type": "Precompiled", "precompiled_charsmap": base64.b64encode(content).decode(),
    }  # fmt: skip


#: Each makes the Rust code of the tokenizer's library panic, when it is loaded or when it is used.
PANICS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no table": lambda content: content.update(normalizer=charsmap(b"")),
    "a table without entries": lambda content: content.update(normalizer=charsmap(b"\0\0\0\0")),
    "a table that leads outside": lambda content: content.update(
        normalizer=charsmap(b"\4\0\0\0abcd")
    ),
    "a special token that is none": lambda content: content["post_processor"]["single"].insert(
        0, {"SpecialToken": {"id": "<none>", "type_id": 0}}
    ),
    "an unknown token that is none": lambda content: content["model"].update(unk_id=10**6),
    "no pieces": lambda content: content["model"].update(vocab=[]),
}


def test_types_that_the_encoder_does_not_know(encoder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["post_processor"]["single"][0]["SpecialToken"]["type_id"] = 300

    edit(encoder / "tokenizer.json", change)
    with pytest.raises(EncoderError, match="the type 300, and the encoder knows only 2"):
        extract(["one"], encoder.with_name("a.bank"), encoder=str(encoder), engine="torch")


@pytest.mark.parametrize("change", PANICS.values(), ids=PANICS)
def test_a_tokenizer_that_makes_its_library_panic(
    encoder: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    edit(encoder / "tokenizer.json", change)
    refused(encoder, "tokenizer")


@pytest.mark.parametrize(
    "shard", ["../other.safetensors", "/etc/passwd", "", ".", "..", "a/../model.safetensors"]
)
def test_shards_stand_beside_their_index(encoder: Path, shard: str) -> None:
    (encoder / "model.safetensors").rename(encoder.with_name("other.safetensors"))
    index = {"metadata": {}, "weight_map": {"embeddings.word_embeddings.weight": shard}}
    (encoder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(encoder, "is no file beside it|lacks .*, a shard of its weights")


@pytest.mark.parametrize("n", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_random_bytes_in_a_tokenizer(encoder: Path, saved: Path, n: int) -> None:
    """Refused, or some tokenizer; never a panic, a crash or a hang."""
    rng = np.random.default_rng(n)
    whole = (saved / "tokenizer.json").read_bytes()
    words = [place for place, byte in enumerate(whole) if chr(byte).isalnum()]
    n_refused = 0
    for number in range(n):
        content = bytearray(whole)
        for place in rng.choice(words, size=3):
            content[place] = whole[rng.choice(words)]
        cut = len(content) // 2 if number % 10 == 0 else len(content)
        (encoder / "tokenizer.json").write_bytes(content[:cut])
        bank = encoder.with_name(f"{number}.bank")
        try:
            extract(["the river froze"], bank, encoder=str(encoder), engine="torch")
        except EncoderError:
            n_refused += 1
    assert 0 < n_refused < n


@pytest.fixture(scope="module")
def saved_pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DeBERTa-v3 as the hub has it: a SentencePiece model, and no tokenizer.json."""
    folder = tmp_path_factory.mktemp("pieces") / "encoder"
    save_piece_model(folder, "deberta-v2")
    return save_encoder(folder, "deberta-v2", layers=1)


@pytest.fixture
def with_pieces(saved_pieces: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved_pieces, tmp_path / "encoder"))


def change_pieces(path: Path, change: Callable[[Any], object]) -> None:
    from sentencepiece import sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2
    proto = messages.ModelProto.FromString(path.read_bytes())
    change(proto)
    path.write_bytes(proto.SerializePartialToString())


#: What a damaged or forged SentencePiece model may say.
FORGED: dict[str, tuple[Callable[[Any], object], str]] = {
    "no pieces": (lambda proto: proto.ClearField("pieces"), "it holds no pieces"),
    "no number": (
        lambda proto: setattr(proto.pieces[5], "score", float("nan")), "is no finite number",
    ),
    "a piece twice": (
        lambda proto: setattr(proto.pieces[6], "piece", proto.pieces[5].piece), "not distinct",
    ),
    "an empty piece": (lambda proto: setattr(proto.pieces[6], "piece", ""), "not distinct"),
    "no unknown token": (
        lambda proto: setattr(proto.trainer_spec, "unk_id", 10**6), "is none of its pieces",
    ),
    "words": (lambda proto: setattr(proto.trainer_spec, "model_type", 3), "words or characters"),
    "a table that leads outside": (
        lambda proto: setattr(proto.normalizer_spec, "precompiled_charsmap", b"\4\0\0\0abcd"),
        "tokenizer",
    ),
    "a table cut short": (
        lambda proto: setattr(proto.normalizer_spec, "precompiled_charsmap", b"\xff\xff\xff\x7f"),
        "tokenizer",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "why"), FORGED.values(), ids=FORGED)
def test_a_sentencepiece_model_that_cannot_be(
    with_pieces: Path, change: Callable[[Any], object], why: str
) -> None:
    change_pieces(with_pieces / "spm.model", change)
    refused(with_pieces, why)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"a YW==\n"])
def test_a_file_that_is_no_sentencepiece_model(with_pieces: Path, content: bytes) -> None:
    (with_pieces / "spm.model").write_bytes(content)
    refused(with_pieces, "spm.model cannot be read as a SentencePiece model")


@pytest.mark.parametrize("name", ["MarianTokenizer", "M2M100Tokenizer"])
def test_no_class_that_hands_the_model_to_its_own_library(
    with_pieces: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sentencepiece

    def load(*_: object, **__: object) -> None:
        raise AssertionError("SentencePiece's own library reads a stranger's file")

    for method in ("Load", "LoadFromFile", "LoadFromSerializedProto", "__init__"):
        monkeypatch.setattr(sentencepiece.SentencePieceProcessor, method, load, raising=False)
    extract(["one"], with_pieces.with_name("b.bank"), encoder=str(with_pieces), engine="torch")
    (with_pieces / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name}))
    refused(with_pieces, "is not a fast one")


@pytest.mark.parametrize("n", [60, pytest.param(500, marks=pytest.mark.slow)])
def test_random_bytes_in_a_sentencepiece_model(
    with_pieces: Path, saved_pieces: Path, n: int
) -> None:
    """Refused, or some tokenizer; never a panic, a crash or a hang."""
    from extract.checkpoint.checkpoint import Checkpoint
    from extract.texts.tokenizer import Tokenizer

    rng = np.random.default_rng(n)
    whole = (saved_pieces / "spm.model").read_bytes()
    n_refused = 0
    for number in range(n):
        content = bytearray(whole)
        # The table of characters is most of the file; the pieces stand in front of it.
        last = len(whole) if number % 2 else min(len(whole), 6_000)
        for place in rng.integers(0, last, size=8):
            content[place] = rng.integers(256)
        cut = int(rng.integers(len(content))) if number % 10 == 0 else len(content)
        (with_pieces / "spm.model").write_bytes(content[:cut])
        try:
            tokenizer = Tokenizer.load(Checkpoint.find(str(with_pieces)), 64, follow=True)
            tokenizer.encode(["the river froze … ½", "é ﬁ"])
        except EncoderError:
            n_refused += 1
    assert 0 < n_refused < n
