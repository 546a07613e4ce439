"""Every hidden state of a model, one at a time, as the forward pass produces it.

The definition of a layer is ``hidden_states`` of the plain forward pass. In most encoders, entry
i is the very tensor that block i takes as its input, and the last entry is the model's output
(final norm included). Hooks before the blocks then see each layer at the moment it is made, and
nothing has to keep them all. Whether that is so is not taken on trust: :func:`find_layers` tries
it on a few tokens, and falls back to keeping all layers of a batch in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from features.errors import EncoderError

log = logging.getLogger(__name__)

Inputs = Mapping[str, Tensor]

Take = Callable[[int, Tensor], None]


class Layers(Protocol):
    """Runs a model and hands over its layers."""

    n_layers: int

    def run(self, inputs: Inputs, take: Take) -> Any:
        """Call ``take(i, hidden_states[i])`` for every i in order; give the model's output."""
        ...


class KeptLayers:
    """Asks the model itself for all hidden states, which stand in memory together."""

    def __init__(self, model: nn.Module, n_layers: int) -> None:
        self._model = model
        self.n_layers = n_layers

    def run(self, inputs: Inputs, take: Take) -> Any:
        output = self._model(**inputs, output_hidden_states=True, return_dict=True)
        for i, hidden in enumerate(output.hidden_states):
            take(i, hidden)
        return output


class HookedLayers:
    """Takes each layer from the input of the block above it, the last from the output."""

    def __init__(self, model: nn.Module, blocks: nn.ModuleList) -> None:
        self._model = model
        self._take: Take | None = None
        self.n_layers = len(blocks) + 1
        self._hooks = [
            block.register_forward_pre_hook(self._hook(i), with_kwargs=True)
            for i, block in enumerate(blocks)
        ]

    def _hook(self, i: int) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if self._take is not None:
                self._take(i, args[0] if args else kwargs["hidden_states"])

        return hook

    def run(self, inputs: Inputs, take: Take) -> Any:
        self._take = take
        try:
            output = self._model(**inputs, return_dict=True)
        finally:
            self._take = None
        take(self.n_layers - 1, output.last_hidden_state)
        return output

    def remove(self) -> None:
        """Take the hooks out again."""
        for hook in self._hooks:
            hook.remove()


def find_layers(model: nn.Module, inputs: Inputs) -> Layers:
    """The leanest way to a model's hidden states that is exact.

    Parameters
    ----------
    model
        In evaluation mode.
    inputs
        A text of a few tokens, to try it on.

    Raises
    ------
    EncoderError
        When the model gives no hidden states, or states of several shapes.
    """
    expected = list(hidden_states(model, inputs))
    kept = KeptLayers(model, len(expected))
    for name, blocks in model.named_modules():
        if isinstance(blocks, nn.ModuleList) and len(blocks) == len(expected) - 1:
            hooked = HookedLayers(model, blocks)
            if _same(hooked, inputs, expected):
                log.debug("layers are taken at the inputs of %s", name)
                return hooked
            hooked.remove()
    log.info(
        "this model's layers cannot be taken one by one: all layers of a batch stand in memory "
        "together"
    )
    return kept


def hidden_states(model: nn.Module, inputs: Inputs) -> tuple[Tensor, ...]:
    """All of them; EncoderError when the model gives none, or several shapes."""
    name = type(model).__name__
    output = model(**inputs, output_hidden_states=True, return_dict=True)
    states: tuple[Tensor, ...] | None = getattr(output, "hidden_states", None)
    if not states or len(states) < 2:
        raise EncoderError(f"{name} gives no hidden states: choose another encoder")
    shapes = {(*inputs["input_ids"].shape, states[-1].shape[-1])}
    if {tuple(state.shape) for state in states} != shapes:
        raise EncoderError(
            f"{name} has layers of different shapes, which a bank cannot hold: choose another"
        )
    return states


def _same(layers: Layers, inputs: Inputs, expected: list[Tensor]) -> bool:
    """Whether the layers are the expected ones, bit by bit."""
    seen: dict[int, Tensor] = {}
    try:
        layers.run(inputs, lambda i, hidden: seen.update({i: hidden.clone()}))
    except (KeyError, AttributeError, TypeError):  # blocks that are called in another way
        return False
    return sorted(seen) == [*range(len(expected))] and all(
        seen[i].shape == state.shape and torch.allclose(seen[i], state, 0, 0, equal_nan=True)
        for i, state in enumerate(expected)
    )
