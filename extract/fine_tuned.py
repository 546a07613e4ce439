"""Fine-tuned weights of an encoder, found inside the state dict of a larger model.

A model that was trained with a head on top keeps its encoder under a prefix that its author chose:
``roberta.``, ``transformer.``, ``model.roberta.``. The prefix is the one under which most of the
encoder's own names stand.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from features.errors import EncoderError

log = logging.getLogger(__name__)

#: How many names a message lists.
NAMED = 5


def read_state(path: Path) -> Mapping[str, torch.Tensor]:
    """The tensors of a state dict, of safetensors or of ``torch.save``; no code in it is run."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    state: Mapping[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def put_weights(model: Any, state: Mapping[str, torch.Tensor], path: Path) -> list[str]:
    """Copy the encoder's weights out of a state dict into a model.

    Parameters
    ----------
    model
        The encoder.
    state
        What ``path`` holds.
    path
        For messages.

    Returns
    -------
    Names of the model's weights that the state dict lacks; of its pooler, and no others.

    Raises
    ------
    EncoderError
        When no name matches, when several encoders do equally well, when other weights than the
        pooler's are lacking, or when one has another shape.
    """
    own = model.state_dict()
    name = type(model).__name__
    prefix = find_prefix(state, own, f"{path} as a {name}")
    matched = {key: state[prefix + key] for key in own if prefix + key in state}
    if wrong := [key for key, tensor in matched.items() if tensor.shape != own[key].shape]:
        raise EncoderError(
            f"{path} holds {prefix + wrong[0]} of shape {tuple(state[prefix + wrong[0]].shape)}, "
            f"and the encoder's is {tuple(own[wrong[0]].shape)}: give the encoder that was "
            "fine-tuned with --encoder"
        )
    # Weights that are tied to one another may stand in the file once.
    there = {own[key].data_ptr() for key in matched}
    missing = sorted(key for key in own if own[key].data_ptr() not in there)
    if lacking := [key for key in missing if not is_pooler(key)]:
        raise EncoderError(
            f"{path} lacks {len(lacking)} weights of {name} under the prefix {prefix!r} "
            f"({listed(lacking)}), and others would stand in: give a complete state dict, or the "
            "encoder that was fine-tuned with --encoder"
        )
    model.load_state_dict(matched, strict=False)
    if rest := sorted(key for key in state if key.removeprefix(prefix) not in matched):
        log.info(
            "%s: %d weights under the prefix %r are the encoder's; %d are not, and stay out (%s)",
            path, len(matched), prefix, len(rest), listed(rest),
        )  # fmt: skip
    return missing


def find_prefix(names: Iterable[str], own: Iterable[str], what: str) -> str:
    """Under which prefix most of an encoder's own names stand among ``names``.

    >>> find_prefix(["net.a.x", "net.a.y", "head.x"], ["x", "y"], "the file")
    'net.a.'
    """
    own = set(own)
    counts: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        for i in range(len(parts)):
            if ".".join(parts[i:]) in own:
                counts["".join(f"{part}." for part in parts[:i])] += 1
    if not counts:
        raise EncoderError(
            f"cannot read {what}: none of its names is one of the encoder's ({listed(sorted(own))}"
            "), with any prefix; give the encoder that was fine-tuned with --encoder"
        )
    (best, most), *others = counts.most_common(2)
    if others and others[0][1] == most:
        raise EncoderError(
            f"cannot read {what}: it holds several encoders, under {best!r} and {others[0][0]!r}; "
            "save a state dict with one of them"
        )
    return best


def is_pooler(name: str) -> bool:
    """Whether a weight is of an encoder's own pooler."""
    return "pooler" in name.split(".")


def listed(names: list[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f", and {more} more" if more > 0 else "")
