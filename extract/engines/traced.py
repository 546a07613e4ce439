"""A checkpoint's module and its poolings as one module that can be traced."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from extract.checkpoint.checkpoint import Checkpoint
from extract.checkpoint.quiet import quiet_transformers
from extract.engines.encoder import Batch, EngineOptions
from extract.engines.load_model import load_model
from extract.engines.pooling import Pooling, marks_special, poolings_of
from extract.engines.probes import position_rows
from extract.engines.torch_engine import TorchEncoder


class PooledModule(nn.Module):
    """Token ids in, every block out: shape ``(B, n_blocks, hidden)``, float32."""

    def __init__(self, model: nn.Module, poolings: Sequence[Pooling], has_pooler: bool) -> None:
        super().__init__()
        self._model = model
        self._poolings = poolings
        self._has_pooler = has_pooler

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        content_mask: Tensor | None = None,
    ) -> Tensor:
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        output = self._model(**inputs, output_hidden_states=True, return_dict=True)
        mask = attention_mask.bool()
        content = mask if content_mask is None else content_mask.bool()
        blocks = [
            pooling(hidden, mask if pooling.special else content)
            for pooling in self._poolings
            for hidden in output.hidden_states
        ]
        if self._has_pooler:
            blocks.append(output.pooler_output.float())
        return torch.stack(blocks, dim=1)


@dataclass(frozen=True, slots=True)
class Traced:
    """What an engine needs to make a graph and to check it.

    Attributes
    ----------
    module, example
        The module and inputs to trace it with.
    probe, expected
        A padded batch of other shape, and what the plain engine gives for it, shape
        ``(B, n_blocks, hidden)``.
    facts
        ``n_layers``, ``hidden_size``, ``n_blocks``, ``has_pooler``, ``pads``, ``inputs``,
        ``positions`` and ``name`` (the model's class).
    """

    module: nn.Module
    example: Mapping[str, Tensor]
    probe: Mapping[str, Tensor]
    expected: NDArray[np.float32]
    facts: Mapping[str, Any]

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Without the warnings that tracing any transformer gives."""
        level = logging.getLogger("transformers").level
        with quiet_transformers(), warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            yield
        logging.getLogger("transformers").setLevel(level)


def trace_encoder(checkpoint: Checkpoint, options: EngineOptions) -> Traced:
    """Load a checkpoint in fp32 for tracing.

    Raises
    ------
    EncoderError
        When it cannot serve as an encoder.
    """
    model, has_pooler = load_model(checkpoint, torch.float32)
    plain = TorchEncoder(model, options, has_pooler=has_pooler)
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if plain.takes_types else [])]
    if marks_special(options.poolings):
        names.append("content_mask")
    probe = _inputs(model, names, [23, 17, 9])
    mask = probe["attention_mask"].bool().numpy()
    types = probe["token_type_ids"].numpy() if plain.takes_types else None
    content = probe["content_mask"].bool().numpy() if "content_mask" in probe else None
    batch = Batch(probe["input_ids"].numpy(), mask, types, content)
    expected = plain.submit(batch).result().values.copy()
    # The plain attention traces into the operations that OpenVINO fuses best.
    model.set_attn_implementation("eager")
    facts = {
        "n_layers": plain.n_layers,
        "hidden_size": plain.hidden_size,
        "n_blocks": plain.n_blocks,
        "has_pooler": plain.has_pooler,
        "pads": plain.pads,
        "inputs": names,
        "positions": position_rows(model),
        "name": type(model).__name__,
    }
    poolings = poolings_of(options.poolings, options.cls_place)
    module = PooledModule(model, poolings, plain.has_pooler).eval()
    example = _inputs(model, names, [12, 7])
    return Traced(module, example, probe, expected, facts)


def _inputs(model: Any, names: Sequence[str], lengths: Sequence[int]) -> dict[str, Tensor]:
    """A batch of made-up texts of these lengths, padded, as the tokenizer would give it."""
    n_ids = int(model.get_input_embeddings().num_embeddings)
    padding = getattr(model.config, "pad_token_id", None) or 0
    generator = torch.Generator().manual_seed(0)
    shape = (len(lengths), max(lengths))
    ids = torch.randint(0, n_ids, shape, generator=generator)
    ids[ids == padding] = (padding + 1) % n_ids
    mask = torch.arange(shape[1])[None] < torch.tensor(lengths)[:, None]
    ids[~mask] = padding
    types = (torch.arange(shape[1])[None] >= 5).expand(shape) & mask
    content = mask & (ids % 5 > 0)
    content[:, 0] = True
    every = {
        "input_ids": ids, "attention_mask": mask.long(), "token_type_ids": types.long(),
        "content_mask": content.long(),
    }  # fmt: skip
    return {name: every[name] for name in names}
