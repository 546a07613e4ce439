"""Three texts and more, joined as the encoder's template joins two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract import extract
from extract.checkpoint.checkpoint import Checkpoint
from extract.texts.batching import Tokens
from extract.texts.template import Template, room_for_each
from extract.texts.tokenizer import Tokenizer
from extract.texts.windows import Windows, sliding
from features import Bank
from features.errors import EncoderError, InputError
from tests.extract.plain import banked_blocks, worst_row
from tests.tiny_encoders import save_encoder, save_tokenizer

THREE = ("the river froze", "take two eggs", "light bends")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder with the template `<s> A </s></s> B </s>`, the second half of type 1."""
    folder = tmp_path_factory.mktemp("several") / "roberta"
    return save_encoder(save_tokenizer(folder), "roberta", layers=1)


def load(folder: Path, max_length: int = 512, **options: Any) -> Tokenizer:
    return Tokenizer.load(Checkpoint.find(str(folder)), max_length, **options)


def own(folder: Path, text: str) -> list[int]:
    """A text's ids without special tokens."""
    return [int(i) for i in load(folder).encode([text])[0].ids[1:-1]]


def test_each_further_text_has_the_pairs_separator_in_front(folder: Path) -> None:
    (tokens,) = load(folder).encode([THREE])
    one, two, three = (own(folder, text) for text in THREE)
    assert tokens.ids.tolist() == [0, *one, 2, 2, *two, 2, 2, *three, 2]
    assert tokens.type_ids is not None
    first = 1 + len(one) + 1
    assert tokens.type_ids.tolist() == [0] * first + [1] * (len(tokens.ids) - first)
    (four,) = load(folder).encode([(*THREE, "")])
    assert four.ids.tolist() == [0, *one, 2, 2, *two, 2, 2, *three, 2, 2, 2]


def test_single_separator_and_types_as_in_bert(folder: Path) -> None:
    from tokenizers import Tokenizer as Backend
    from tokenizers.processors import BertProcessing

    backend = Backend.from_file(str(folder / "tokenizer.json"))
    backend.post_processor = BertProcessing(("</s>", 2), ("<s>", 0))
    template = Template.of(backend)
    assert template is not None
    ids, types, parts = template.join([np.array([9, 9], np.int32), *[np.array([8], np.int32)] * 2])
    assert ids.tolist() == [0, 9, 9, 2, 8, 2, 8, 2]
    assert types.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert parts.tolist() == [-1, 0, 0, -1, 1, -1, 2, -1]


lengths = st.integers(0, 40)


@given(first=lengths, second=lengths, room=st.integers(1, 40))
def test_two_texts_are_cut_as_the_tokenizers_library_cuts_them(
    first: int, second: int, room: int
) -> None:
    from tokenizers import Tokenizer as Backend
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    backend = Backend(WordLevel({"a": 0, "u": 1}, unk_token="u"))
    backend.pre_tokenizer = Whitespace()
    backend.enable_truncation(room, strategy="longest_first")
    encoding = backend.encode("a " * first, "a " * second)
    theirs = [encoding.sequence_ids.count(0), encoding.sequence_ids.count(1)]
    assert room_for_each([first, second], room) == theirs


@given(st.lists(lengths, min_size=1, max_size=6), st.integers(0, 100))
def test_the_longest_is_cut_first(sizes: list[int], room: int) -> None:
    kept = room_for_each(sizes, room)
    assert sum(kept) == min(room, sum(sizes))
    assert all(k <= size for k, size in zip(kept, sizes, strict=True))
    cut = [k for k, size in zip(kept, sizes, strict=True) if k < size]
    if cut:  # nobody keeps more than those that were cut, but for what is left of a division
        assert max(kept) <= min(cut) + 1


@pytest.mark.parametrize("side", ["right", "left"])
def test_what_does_not_fit_is_cut_from_the_longest(
    folder: Path, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    texts = ("river " * 60, "two", "eggs " * 30)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    monkeypatch.setattr(PreTrainedTokenizerFast, "truncation_side", side, raising=False)
    parts = [own(folder, text) for text in texts]
    (tokens,) = load(folder, 40).encode([texts])
    assert (len(tokens.ids), tokens.truncated) == (40, True)
    room = 40 - 6
    kept = room_for_each([len(part) for part in parts], room)
    assert kept[1] == len(parts[1])
    (fits,) = load(folder, 512).encode([texts])
    assert not fits.truncated
    start = tokens.ids.tolist()[1 : 1 + kept[0]]
    assert start == (parts[0][-kept[0] :] if side == "left" else parts[0][: kept[0]])


def test_the_numbers_are_those_of_the_joined_tokens(folder: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel

    long = ("river " * 300, "two eggs", "the ice " * 300)
    bank = tmp_path / "a.bank"
    extract([THREE, long], bank, encoder=str(folder), engine="torch", precision="fp32",
            poolings=["cls", "mean", "max", "mean_no_special"])  # fmt: skip
    assert Bank.open(bank).truncated([THREE, long]).tolist() == [False, True]
    model: Any = AutoModel.from_pretrained(folder).eval()
    found = banked_blocks(bank, [THREE, long])
    for row, text in enumerate([THREE, long]):
        (tokens,) = load(folder, marked=True).encode([text])
        ids = torch.tensor(tokens.ids[None].astype(np.int64))
        types = torch.tensor(tokens.type_ids[None].astype(np.int64))
        with torch.no_grad():
            output = model(input_ids=ids, token_type_ids=types, output_hidden_states=True)
        states = [layer[0].numpy() for layer in output.hidden_states]
        assert tokens.content is not None
        assert tokens.content.sum() == len(tokens.ids) - 6
        expected = [layer[0] for layer in states] + [layer.mean(0) for layer in states]
        expected += [layer.max(0) for layer in states]
        expected += [layer[tokens.content].mean(0) for layer in states]
        assert worst_row(found[row : row + 1, :8], np.stack(expected)[None]) <= 1e-5


def test_windows_slide_over_the_longest_and_the_others_share_half(folder: Path) -> None:
    tokenizer = load(folder, 46, stride=10)  # room for 40 beside 6 special tokens
    windows = Windows(46, 10, ("mean",), 2)
    texts = ("two " * 4, "river " * 100, "eggs")
    lengths = [len(own(folder, text)) for text in texts]
    assert lengths[0] + lengths[2] <= 20
    (tokens,) = tokenizer.encode([texts])
    pieces = windows.split(tokens)
    assert not tokens.truncated
    assert len(pieces) > 3
    one, _, three = (own(folder, text) for text in texts)
    for piece in pieces:
        ids = piece.ids.tolist()
        assert ids[: len(one) + 3] == [0, *one, 2, 2]
        assert ids[-len(three) - 3 :] == [2, 2, *three, 2][-len(three) - 3 :]
        assert len(ids) <= 46
    (cut,) = tokenizer.encode([("river " * 50, "river " * 50, "river " * 60)])
    assert cut.truncated
    assert cut.slides is not None
    beside = len(cut.ids) - (cut.slides[1] - cut.slides[0]) - 6
    assert beside == 20


def test_others_keep_what_the_longest_leaves() -> None:
    """Texts of 16, 15 and 14 tokens in room for 40: no more than 5 have to go."""
    parts = np.repeat([-1, 0, -1, 1, -1, 2, -1], [1, 16, 2, 15, 1, 14, 2])
    tokens = sliding(Tokens(np.arange(len(parts), dtype=np.int32), None, False), parts, 46)
    assert (len(tokens.ids), tokens.truncated) == (46, True)
    assert tokens.slides == (1, 17)


def test_too_short_a_maximum_and_no_separator_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needs at least --max-length 7 for 3 texts together"):
        load(folder, 6).encode([THREE])
    import json
    import shutil

    bare = Path(shutil.copytree(folder, tmp_path / "bare"))
    content = json.loads((bare / "tokenizer.json").read_text(encoding="utf-8"))
    content["post_processor"] = None
    (bare / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(EncoderError, match="puts nothing between two texts, so 3 cannot be joined"):
        load(bare).encode([THREE])
