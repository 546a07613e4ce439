"""Encoders that come with a SentencePiece model alone, held against SentencePiece itself."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extract import extract
from extract.checkpoint.checkpoint import Checkpoint
from extract.texts.loading import Loaded, load_files
from features import Bank
from features.disk.manifest import write_manifest
from features.errors import EncoderError
from tests.extract.plain import banked_blocks, worst_row
from tests.piece_models import LAYOUTS, save_piece_model
from tests.tiny_encoders import save_encoder

ODD = [
    "The river froze…", "a\u00a0river", "½ cup", "the™ ice", "\ufb01ve \ufb02at", "two  spaces",
    "\uff46\uff55\uff4c\uff4c \uff57", " lead", "trail ", "tab\tnew\nline", "caf\u00e9", "e\u0301",
    "E\u0301a", "ñ n\u0303", "a\u2581b", "", "  ", "\u200b zero", "\uff21\uff22\uff11",
    "\u3000wide", "İ", "ß", "a\u2028b", "x\u0000y", " \t ", "a \u200b b", "\uff76\uff85",
]  # fmt: skip

#: Families that prepare a text for their model, as they were trained: accents and quotes go.
PREPARED = ("albert", "xlnet")


def make(folder: Path, family: str, **options: Any) -> Path:
    """An encoder as its checkpoint on the hub stands: weights, config.json, and a ``.model``."""
    save_piece_model(folder, family, **options)
    return save_encoder(folder, family, layers=1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pieces")
    return {family: make(root / family, family) for family in LAYOUTS}


def load(folder: Path, *, follow: bool = True) -> Loaded:
    return load_files(Checkpoint.find(str(folder)), follow=follow)


def pieces(loaded: Loaded, text: str) -> list[str]:
    return [str(t) for t in loaded.backend.encode(text, add_special_tokens=False).tokens]


def theirs(folder: Path, text: str) -> list[str]:
    import sentencepiece

    (path,) = folder.glob("*.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [str(piece) for piece in processor.encode(text, out_type=str)]


def same(ours: list[str], others: list[str]) -> bool:
    """Whether two lists of pieces are one: what has no piece is called unknown, or stands as is."""
    return len(ours) == len(others) and all(
        a == b or a in ("<unk>", "[UNK]") for a, b in zip(ours, others, strict=True)
    )


def prepared(family: str, text: str) -> str:
    if family not in PREPARED:
        return text
    text = unicodedata.normalize("NFKD", text.replace("``", '"').replace("''", '"'))
    text = "".join(c for c in text if not unicodedata.combining(c))
    return text.lower() if family == "albert" else text


@pytest.mark.parametrize("family", LAYOUTS)
def test_odd_texts_give_the_models_own_pieces(folders: dict[str, Path], family: str) -> None:
    loaded = load(folders[family])
    for text in ODD:
        expected = theirs(folders[family], prepared(family, text))
        assert same(pieces(loaded, text), expected), (text, pieces(loaded, text), expected)


@pytest.mark.parametrize("family", ["deberta-v2", "mbart", "bigbird"])
def test_what_transformers_leaves_out_is_followed_and_recorded(
    folders: dict[str, Path], family: str
) -> None:
    """They are the ones: were transformers to mend it, this says so."""
    folder = folders[family]
    assert load(folder).members()["normaliser"] == "own"
    as_built = load(folder, follow=False)
    assert "normaliser" not in as_built.members()
    assert not same(pieces(as_built, "½ cup"), theirs(folder, "½ cup"))


@pytest.mark.parametrize("family", ["t5", "albert", "xlnet", "xlm-roberta", "camembert"])
def test_where_transformers_follows_nothing_is_recorded(
    folders: dict[str, Path], family: str
) -> None:
    assert "normaliser" not in load(folders[family]).members()


@pytest.mark.parametrize(
    "options",
    [
        {"normalization_rule_name": "nfkc"},
        {"normalization_rule_name": "identity"},
        {"remove_extra_whitespaces": False},
        {"add_dummy_prefix": False},
    ],
    ids=lambda options: "-".join(map(str, next(iter(options.items())))),
)
def test_other_rules_of_a_model_are_followed_too(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = make(tmp_path / "e", "deberta-v2", **options)
    loaded = load(folder)
    assert loaded.follows_files
    for text in ODD:
        expected = theirs(folder, text)
        assert same(pieces(loaded, text), expected), (text, pieces(loaded, text), expected)


# Without "…", whose three dots have two segmentations of one score.
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, derandomize=True
)
@given(text=st.text("abceT éñ½™ﬁｆ１　 \t\n\u00a0\u200b", max_size=12))
def test_any_mixture_gives_the_models_own_pieces(folders: dict[str, Path], text: str) -> None:
    folder = folders["deberta-v2"]
    assert same(pieces(_once(folder), text), theirs(folder, text))


def test_characters_of_other_scripts(folders: dict[str, Path]) -> None:
    for family in ("deberta-v2", "mbart", "xlm-roberta"):
        for text in ("한국", "北京 大学", "Привет ё", "مرحبا", "नमस्ते", "👍 🏽"):
            assert same(pieces(load(folders[family]), text), theirs(folders[family], text)), text


_loaded: dict[Path, Loaded] = {}


def _once(folder: Path) -> Loaded:
    return _loaded.get(folder) or _loaded.setdefault(folder, load(folder))


def test_a_bank_of_deberta_v3_as_the_hub_has_it(folders: dict[str, Path], tmp_path: Path) -> None:
    """The numbers are those of the pieces, special tokens around them."""
    import sentencepiece
    import torch
    from transformers import AutoModel

    folder, bank = folders["deberta-v2"], tmp_path / "a.bank"
    texts = [text for text in ODD if text.strip()] + ["river " * 40]
    extract(texts, bank, encoder=str(folder), engine="torch", precision="fp32")
    assert Bank.open(bank).setup["normaliser"] == "own"
    assert "as the tokenizer's files say" in str(Bank.open(bank).facts()["tokens"])
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model"))
    model: Any = AutoModel.from_pretrained(folder).eval()
    rows = []
    for text in texts:
        ids = torch.tensor([[1, *processor.encode(text), 2]])
        with torch.no_grad():
            states = model(input_ids=ids, output_hidden_states=True).hidden_states
        rows.append(np.stack([s[0].mean(0).numpy() for s in states]))
    assert worst_row(banked_blocks(bank, texts)[:, 2:4], np.stack(rows)) <= 1e-5


def test_a_bank_from_before_goes_on_as_transformers_builds_it(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = folders["deberta-v2"]
    how: dict[str, Any] = {"encoder": str(folder), "engine": "torch", "precision": "fp32"}
    extract(["½ cup"], tmp_path / "new.bank", **how)
    there = Bank.open(tmp_path / "new.bank")
    setup = {name: value for name, value in there.setup.items() if name != "normaliser"}
    write_manifest(tmp_path / "old.bank", setup, there.source)
    extract(["½ cup"], tmp_path / "old.bank", **how)
    counts = [int(Bank.open(tmp_path / f"{n}.bank").n_tokens(["½ cup"])[0]) for n in ("old", "new")]
    assert counts == [2 + len(pieces(load(folder, follow=f), "½ cup")) for f in (False, True)]
    assert counts[0] != counts[1]


def test_a_tokenizer_json_that_transformers_takes_apart_is_followed(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """Saved before transformers 5, its normaliser holds the model's table; the class drops it."""
    import shutil

    from extract.texts.piece_models import read_piece_model

    folder = Path(shutil.copytree(folders["deberta-v2"], tmp_path / "e"))
    loaded = load(folder)
    read_piece_model(folder / "spm.model")
    loaded.backend.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "DebertaV2Tokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    again = load(folder)
    assert again.members() == {"normaliser": "own"}
    for text in ODD:
        assert pieces(again, text) == pieces(loaded, text)
    # One that transformers 5 saved has transformers' own normaliser, which was then trained with.
    load(folders["deberta-v2"], follow=False).backend.save(str(folder / "tokenizer.json"))
    assert load(folder).members() == {}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"model_type": "bpe"}, "is a BPE model, and transformers builds Unigram of it"),
        ({"byte_fallback": True}, "falls back to bytes, which transformers leaves out"),
    ],
)
def test_a_model_that_transformers_would_get_wrong_is_refused(
    tmp_path: Path, options: dict[str, Any], why: str
) -> None:
    folder = make(tmp_path / "e", "deberta-v2", **options)
    with pytest.raises(EncoderError, match=why):
        load(folder)


def test_a_family_whose_template_gets_lost_is_refused(tmp_path: Path) -> None:
    """transformers 5 builds FNet's tokenizer of a ``.model`` without [CLS] and [SEP]."""
    name, special = LAYOUTS["albert"]
    from tests.piece_models import train_piece_model

    folder = save_encoder(tmp_path / "e", "fnet", layers=1)
    (folder / name).write_bytes(train_piece_model(**special))
    with pytest.raises(EncoderError, match=r"puts no \[CLS\] in front of a text: save tokenizer"):
        load(folder)


def test_two_models_are_one_too_many(folders: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(folders["t5"], tmp_path / "e"))
    shutil.copy(folder / "spiece.model", folder / "other.model")
    with pytest.raises(EncoderError, match="holds 2 SentencePiece models"):
        load(folder)


def test_a_model_beside_a_vocabulary_is_none_of_ours(tmp_path: Path) -> None:
    """As beside a BERT's vocab.txt, where nobody reads it."""
    folder = save_encoder(tmp_path / "e", "bert", layers=1)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "river"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (folder / "some.model").write_bytes(b"no such thing")
    assert pieces(load(folder), "the river") == ["the", "river"]
