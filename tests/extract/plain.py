"""The oracle: one text at a time through the plain forward pass, pooled by NumPy in float64."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features import Bank, Text

POOLINGS = {
    "cls": lambda states: states[0],
    "mean": lambda states: states.mean(axis=0),
    "max": lambda states: states.max(axis=0),
    "min": lambda states: states.min(axis=0),
    "last": lambda states: states[-1],
    "std": lambda states: states.std(axis=0),
    # Of the tokens that are not special: those that it is given.
    "mean_no_special": lambda states: states.mean(axis=0),
}


def plain_blocks(
    folder: Path,
    texts: Sequence[Text],
    *,
    max_length: int = 512,
    poolings: Sequence[str] = ("cls", "mean", "max"),
    pooler: bool = False,
    literal: bool = True,
) -> np.ndarray:
    """Every block of every text in fp32, shape (n, n_blocks, hidden), in a bank's order.

    `literal`: whether special tokens that stand in a text are text.
    """
    import torch
    from transformers import AutoModel, AutoModelForTextEncoding, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.split_special_tokens = literal
    encoder_only = "t5" in str(folder)
    family = AutoModelForTextEncoding if encoder_only else AutoModel
    model: Any = family.from_pretrained(folder, dtype=torch.float32).eval()
    if model.config.is_encoder_decoder and not encoder_only:
        model = model.get_encoder()
    rows = []
    for text in texts:
        parts = (text,) if isinstance(text, str) else text
        inputs = tokenizer(*parts, truncation=True, max_length=max_length, return_tensors="pt")
        if not takes_types(model):
            inputs.pop("token_type_ids", None)
        with torch.no_grad():
            output = model(**inputs, output_hidden_states=True)
        layers = [states[0].double().numpy() for states in output.hidden_states]
        special = tokenizer.get_special_tokens_mask(
            inputs["input_ids"][0].tolist(), already_has_special_tokens=True
        )
        own = np.flatnonzero(np.array(special) == 0)
        chosen = {"mean_no_special": own if len(own) else slice(None)}
        blocks = [
            POOLINGS[pooling](states[chosen.get(pooling, slice(None))])
            for pooling in poolings
            for states in layers
        ]
        if pooler:
            blocks.append(output.pooler_output[0].double().numpy())
        rows.append(np.stack(blocks))
    return np.stack(rows)


def takes_types(model: Any) -> bool:
    import inspect

    types = getattr(model.config, "type_vocab_size", 0)
    return "token_type_ids" in inspect.signature(model.forward).parameters and types > 1


def banked_blocks(path: Path, texts: Sequence[Text]) -> np.ndarray:
    """Every block that a bank has of some texts, shape (n, n_blocks, hidden)."""
    bank = Bank.open(path)
    selection = "*[:]+pooler" if bank.has_pooler else "*[:]"
    matrix = bank.matrix(texts, selection, dtype=np.float64)
    return matrix.reshape(len(texts), len(bank.blocks), bank.hidden_size)


#: Relative error between two computations of the same batches in the same order: the threads of a
#: matrix library may still part its sums in another way.
AGAIN = 1e-6


def worst_row(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest relative error of any row of any block."""
    error = np.linalg.norm(found - expected, axis=-1)
    return float((error / np.linalg.norm(expected, axis=-1)).max())


def far(found: np.ndarray, expected: np.ndarray, bound: float) -> list[str]:
    """Which rows of which blocks are further from what was expected, and how far."""
    error = np.linalg.norm(found - expected, axis=-1) / np.linalg.norm(expected, axis=-1)
    return [f"text {i}, block {j}: {error[i, j]:.1e}" for i, j in np.argwhere(~(error <= bound))]


def worst_block(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest relative error of any block, over all its rows (Frobenius)."""
    error = np.linalg.norm(found - expected, axis=(0, 2))
    return float((error / np.linalg.norm(expected, axis=(0, 2))).max())


@cache
def openvino_computes(precision: str) -> bool:
    """Whether OpenVINO has a precision here: ``ONEDNN_MAX_CPU_ISA`` may take bf16 from a CPU."""
    import openvino
    from openvino import opset13

    numbers = opset13.parameter([-1, 2, 4, 4], np.float32)
    weights = opset13.softmax(opset13.matmul(numbers, numbers, False, True), 3)
    model = openvino.Model([opset13.matmul(weights, numbers, False, False)], [numbers])
    try:
        openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    except RuntimeError:
        return False
    return True


def skip_where_openvino_has_no(precision: str, engine: str = "openvino") -> None:
    """Skip a test of what cannot be had."""
    if engine == "openvino" and not openvino_computes({"fp32": "f32"}.get(precision, precision)):
        pytest.skip(f"OpenVINO has no {precision} on this CPU")
