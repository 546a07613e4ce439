"""Poolings: a layer's token states become one vector a text.

A pooling is a pure function in :data:`POOLINGS`; adding one is writing the function and entering
it there. Each takes

``hidden``
    Token states, shape ``(B, T, H)``, any float dtype, on any device.
``mask``
    Shape ``(B, T)``, bool, True at tokens (special ones included) and False at padding, which
    stands behind the tokens; ``None`` when there is no padding at all.

and gives shape ``(B, H)``, float32, on the same device. Nothing of the padding may reach the
result: a text's vector is the same whatever stands beside it in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from features.errors import InputError
from features.format import order_poolings

if TYPE_CHECKING:
    from torch import Tensor

Pooling = Callable[["Tensor", "Tensor | None"], "Tensor"]


def cls(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The first token's state: ``[CLS]`` or ``<s>`` where the tokenizer puts one there."""
    return hidden[:, 0].float()


def mean(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over tokens, summed in float32."""
    if mask is None:
        return hidden.float().sum(1) / hidden.shape[1]
    # A product with the mask would let an infinite padding state through: 0 * inf is nan.
    total = hidden.masked_fill(~mask[:, :, None], 0.0).float().sum(1)
    return total / mask.sum(1, keepdim=True)


def max_(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The largest value of each dimension over tokens."""
    if mask is not None:
        hidden = hidden.masked_fill(~mask[:, :, None], float("-inf"))
    return hidden.amax(1).float()


#: Every pooling by its name in a selection.
POOLINGS: dict[str, Pooling] = {"cls": cls, "mean": mean, "max": max_}

#: What is stored when nothing is asked for.
DEFAULT = ("cls", "mean", "max")


def choose_poolings(names: Iterable[str]) -> tuple[str, ...]:
    """Names of poolings without repeats, in the order in which a bank keeps them.

    Raises
    ------
    InputError
        When a name is unknown, or there is none.
    """
    names = tuple(names)
    if unknown := [name for name in names if name not in POOLINGS]:
        raise InputError(
            f"there is no pooling {unknown[0]!r}: choose from {', '.join(POOLINGS)} (the encoder's "
            "own pooler is stored by itself when the checkpoint holds its weights)"
        )
    if not names:
        raise InputError(f"no pooling was asked for: choose from {', '.join(POOLINGS)}")
    return order_poolings(names)
