"""Long texts in windows against NumPy, one window at a time through the plain forward pass."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract import extract
from extract.encode import Budget, encode
from extract.engines.encoder import Batch, Pooled
from extract.engines.pooling import POOLINGS
from extract.texts.batching import Tokens
from extract.texts.stream import Stretch
from extract.texts.windows import Windows, groups
from features import Bank, Text
from features.errors import FingerprintMismatch, InputError
from tests.extract.plain import AGAIN, banked_blocks, worst_row
from tests.extract.some_texts import some_texts

ALL = tuple(POOLINGS)
#: By pooling: the text's vector from the token states of its windows, in order.
OVER_WINDOWS: dict[str, Any] = {
    "cls": lambda windows, content: windows[0][0],
    "last": lambda windows, content: windows[-1][-1],
    "mean": lambda windows, content: np.concatenate(windows).mean(axis=0),
    "max": lambda windows, content: np.concatenate(windows).max(axis=0),
    "min": lambda windows, content: np.concatenate(windows).min(axis=0),
    "std": lambda windows, content: np.sqrt(
        sum(len(w) * w.var(axis=0) for w in windows) / sum(map(len, windows))
    ),
    "mean_no_special": lambda windows, content: np.concatenate(
        [states[inside] for states, inside in zip(windows, content, strict=True)]
    ).mean(axis=0),
}


def windows_of(tokenizer: Any, text: Text, length: int, stride: int) -> list[dict[str, Any]]:
    """The windows of a text, as the tokenizer itself would make them."""
    parts = (text,) if isinstance(text, str) else text
    tokens = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in parts]
    n_special = tokenizer.num_special_tokens_to_add(len(parts) == 2)
    room = length - n_special
    if sum(map(len, tokens)) > room and len(parts) == 2:
        shorter = min((1, 0), key=lambda i: len(tokens[i]))
        tokens[shorter] = tokens[shorter][: room // 2]
        room -= len(tokens[shorter])
    slides = max(range(len(parts)), key=lambda i: len(tokens[i]))
    if sum(map(len, tokens)) + n_special <= length:
        room = len(tokens[slides])
    step = min(stride, room)
    found, start = [], 0
    while True:
        window = [*tokens]
        window[slides] = tokens[slides][start : start + room]
        first, *second = map(tokenizer.convert_ids_to_tokens, window)
        ids = [0, *window[0], 2] if not second else [0, *window[0], 2, 2, *window[1], 2]
        inside = [i not in (0, 2) for i in ids]
        types = [0] * (len(first) + 2) + [1] * (len(ids) - len(first) - 2)
        found.append({"input_ids": ids, "token_type_ids": types, "inside": inside})
        if start + room >= len(tokens[slides]):
            return found
        start += step


def plain_windows(
    folder: Path, texts: list[Text], length: int, stride: int, poolings: tuple[str, ...] = ALL
) -> np.ndarray:
    """Every block of every text, and the pooler's, shape (n, n_blocks, hidden)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.split_special_tokens = True
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    for text in texts:
        layers: list[list[np.ndarray]] = []
        windows = windows_of(tokenizer, text, length, stride)
        for window in windows:
            inputs = {
                name: torch.tensor([window[name]]) for name in ("input_ids", "token_type_ids")
            }
            with torch.no_grad():
                output = model(**inputs, output_hidden_states=True)
            layers.append([states[0].double().numpy() for states in output.hidden_states])
            if len(layers) == 1:
                pooler = output.pooler_output[0].double().numpy()
        content = [np.array(window["inside"]) for window in windows]
        content = [inside if inside.any() else ~inside for inside in content]
        rows.append(
            [
                OVER_WINDOWS[name]([states[layer] for states in layers], content)
                for name in poolings
                for layer in range(len(layers[0]))
            ]
            + [pooler]
        )
    return np.array(rows)


TEXTS: list[Text] = [
    *some_texts([1, 5, 30, 31, 60, 61, 200]),
    ("What is asked?", some_texts([90], 1)[0]),
    (some_texts([90], 2)[0], "Summarise this."),
    (some_texts([40], 3)[0], some_texts([50], 4)[0]),
    ("A short", "pair"),
]


@pytest.mark.parametrize("engine", ["torch", "openvino"])
@pytest.mark.parametrize(("stride", "batch_tokens"), [(12, 4096), (30, 64)])
def test_every_block_is_that_of_the_windows(
    engine: str, stride: int, batch_tokens: int, tiny_roberta: Path, bank: Path
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
    report = extract(
        TEXTS, bank, encoder=str(tiny_roberta), precision="fp32", max_length=32, long="window",
        stride=stride, poolings=ALL, engine=engine, batch_tokens=batch_tokens, device="cpu",
    )  # fmt: skip
    expected = plain_windows(tiny_roberta, TEXTS, 32, stride)
    assert worst_row(banked_blocks(bank, TEXTS), expected) <= 1e-5
    opened = Bank.open(bank)
    assert (opened.setup["long"], opened.setup["stride"]) == ("window", stride)
    # Only the pair whose shorter text takes more than half of a window loses anything.
    assert opened.truncated(TEXTS).tolist() == [
        isinstance(t, tuple) and t == TEXTS[9] for t in TEXTS
    ]
    assert report.n_truncated == 1
    assert opened.n_tokens(TEXTS).max() > 200


def test_texts_that_fit_are_as_without_windows(tiny_roberta: Path, tmp_path: Path) -> None:
    texts: list[Text] = [*some_texts([1, 3, 9, 20]), ("a", "b")]
    options: dict[str, Any] = {
        "encoder": str(tiny_roberta), "precision": "fp32", "max_length": 64, "engine": "torch",
    }  # fmt: skip
    extract(texts, tmp_path / "a.bank", **options)
    extract(texts, tmp_path / "b.bank", long="window", **options)
    found = banked_blocks(tmp_path / "a.bank", texts)
    assert worst_row(banked_blocks(tmp_path / "b.bank", texts), found) <= AGAIN
    assert Bank.open(tmp_path / "b.bank").setup["stride"] == 32


def test_windows_are_part_of_the_fingerprint(tiny_roberta: Path, bank: Path) -> None:
    encoder = str(tiny_roberta)
    extract(["a"], bank, encoder=encoder, max_length=64, long="window", stride=20)
    assert extract(["a", "b"], bank).n_new == 1
    for options, field in [({"long": "truncate"}, "long"), ({"stride": 21}, "stride")]:
        with pytest.raises(FingerprintMismatch) as caught:
            extract(["a"], bank, **options)
        assert field in caught.value.fields


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"long": "windows"}, "no way 'windows' with long texts: choose from truncate, window"),
        ({"stride": 8}, "--stride is of --long window"),
        ({"long": "truncate", "stride": 8}, "makes no windows"),
        ({"long": "window", "stride": 0}, "makes no windows"),
        ({"long": "window", "stride": 31}, "windows hold 30 tokens.*--stride 30 or less"),
    ],
)
def test_impossible_windows(
    options: dict[str, Any], message: str, tiny_roberta: Path, bank: Path
) -> None:
    with pytest.raises(InputError, match=message):
        extract(["a"], bank, encoder=str(tiny_roberta), max_length=32, **options)
    assert not bank.exists()


@given(st.integers(1, 400), st.integers(3, 40), st.integers(1, 40))
def test_windows_cover_a_text_and_overlap_as_said(n: int, length: int, stride: int) -> None:
    room = length - 2
    stride = min(stride, room)
    windows = Windows(length, stride, ("mean",), 1)
    ids = np.r_[1000, np.arange(n), 1001]
    whole = Tokens(ids, None, False, None, (1, n + 1) if n > room else None)
    pieces = windows.split(whole)
    assert len(pieces) == windows.count(whole)
    covered = [set(piece.ids[1:-1].tolist()) for piece in pieces]
    assert set.union(*covered) == set(range(n))
    for k, piece in enumerate(pieces):
        assert piece.ids[0] == 1000
        assert piece.ids[-1] == 1001
        assert len(piece.ids) == length or k == len(pieces) - 1
        assert piece.ids[1] == k * stride
    assert all(not later <= earlier for earlier, later in pairwise(covered))


@given(st.lists(st.integers(1, 20)), st.integers(1, 50))
def test_groups_hold_every_text_once(counts: list[int], limit: int) -> None:
    found = list(groups(counts, limit))
    assert [i for group in found for i in group] == list(range(len(counts)))
    assert all(sum(counts[i] for i in g) <= limit or len(g) == 1 for g in found)


class Done:
    """A batch whose numbers are there."""

    def __init__(self, pooled: Pooled) -> None:
        self.result = lambda: pooled


class MadeUp:
    """An encoder of RoBERTa-base's size that costs nothing."""

    n_layers, hidden_size, has_pooler, batch_tokens, ahead = 13, 768, False, 4096, 2
    n_blocks, pads, n_writers = 39, True, 1

    def __init__(self) -> None:
        self.provenance: dict[str, Any] = {}

    def submit(self, batch: Batch) -> Any:
        values = np.ones((len(batch.ids), 39, 768), np.float32)
        return Done(Pooled(values, np.ones(len(batch.ids), bool)))


def test_a_very_long_text_needs_little_memory() -> None:
    windows = Windows(512, 256, ("cls", "mean", "max"), 13)
    whole = Tokens(np.ones(100_000, np.int32), None, False, None, (1, 99_999))
    stretch = Stretch(np.array([1]), ["a"], np.zeros((1, 32), np.uint8))
    tracemalloc.start()
    ((rows, values),) = encode(MadeUp(), stretch, [whole], 0, Budget(4096), windows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows.tolist() == [0]
    np.testing.assert_allclose(values, 1, rtol=1e-6)
    assert windows.count(whole) == 390  # 46 MB, were they kept
    assert peak < 10 << 20
