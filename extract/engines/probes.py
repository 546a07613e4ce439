"""What is tried out on a model before it may serve as an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from extract.engines.hidden_states import hidden_states

#: How far padding may move a text's numbers in relation to their size, before it is a leak. An
#: attention mask leaves nothing at all of it.
LEAK = 1e-4


def probe_inputs(model: Any, device: torch.device) -> dict[str, Tensor]:
    """One text of a few distinct tokens, none of them padding."""
    n_ids = int(model.get_input_embeddings().num_embeddings)
    padding = getattr(model.config, "pad_token_id", None)
    ids = [i for i in np.linspace(0, n_ids - 1, 10, dtype=int)[1:-1].tolist() if i != padding]
    return {"input_ids": torch.tensor([list(dict.fromkeys(ids))], device=device)}


def is_causal(model: nn.Module, inputs: Mapping[str, Tensor]) -> bool:
    """Whether the first token ignores those behind it, as in decoder-only models.

    Parameters
    ----------
    inputs
        One text of distinct tokens; all but the first are put in another order.
    """
    ids = inputs["input_ids"]
    other = torch.cat([ids[:, :1], ids[:, 1:].flip(1)], dim=1)
    here, there = (
        hidden_states(model, {**inputs, "input_ids": tokens})[-1][:, 0] for tokens in (ids, other)
    )
    return torch.equal(here, there)


def padding_leaks(model: nn.Module, inputs: Mapping[str, Tensor]) -> bool:
    """Whether masked padding reaches the numbers of a text, as where Fourier transforms or
    convolutions stand in for attention.

    Other ids under the mask must change nothing: so the padding is tried out in any precision,
    in batches of one shape.
    """
    ids = inputs["input_ids"]
    n = ids.shape[1]
    mask = torch.cat([torch.ones_like(ids), torch.zeros_like(ids)], dim=1)
    here, there = (
        model(input_ids=torch.cat([ids, padding], 1), attention_mask=mask, return_dict=True)
        .last_hidden_state[:, :n]
        .float()
        for padding in (ids, ids.flip(1).roll(1, 1))
    )
    return bool((here - there).norm() > LEAK * here.norm())


def position_rows(model: nn.Module) -> int | None:
    """Tokens that the position table has room for; None where there is no such table."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and name.endswith("position_embeddings"):
            first = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - first
    return None
