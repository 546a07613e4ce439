"""Poolings: a layer's token states become one vector a text.

A pooling is a pure function and its entry in :data:`POOLINGS`. The function takes

``hidden``
    Token states, shape ``(B, T, H)``, any float dtype, on any device.
``mask``
    Shape ``(B, T)``, bool, True at the tokens that count and False elsewhere; the first token of
    every text counts unless special tokens do not. ``None`` when all count.

and gives shape ``(B, H)``, float32, on the same device. Nothing of the padding may reach the
result: a text's vector is the same whatever stands beside it in the batch. The entry says what
becomes of a long text that is read in windows, and whether special tokens count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from features.errors import InputError
from features.selection import order_poolings

if TYPE_CHECKING:
    from torch import Tensor


#: How the vectors of a long text's windows become the text's; ``mean`` and ``rms`` (root of the
#: mean square) weigh each window by its tokens that count.
OverWindows = Literal["first", "last", "mean", "rms", "max", "min"]


@dataclass(frozen=True, slots=True)
class Pooling:
    """A pooling and what holds of it."""

    pool: Callable[[Tensor, Tensor | None], Tensor]
    over_windows: OverWindows
    special: bool = True
    """Whether the special tokens count that the encoder's template adds."""

    def __call__(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Pool one layer of a batch; see above."""
        return self.pool(hidden, mask)


def cls(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The first token's state: ``[CLS]`` or ``<s>``, where most tokenizers put one."""
    return hidden[:, 0].float()


def mean(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over tokens, summed in float32."""
    import torch

    # A GPU widens the numbers while it sums; `hidden.float()` would write them all out first.
    if mask is None:
        return hidden.sum(1, dtype=torch.float32) / hidden.shape[1]
    # A product with the mask would let an infinite padding state through: 0 * inf is nan.
    total = hidden.masked_fill(~mask[:, :, None], 0.0).sum(1, dtype=torch.float32)
    return total / mask.sum(1, keepdim=True)


def max_(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The largest value of each dimension over tokens."""
    if mask is not None:
        hidden = hidden.masked_fill(~mask[:, :, None], float("-inf"))
    return hidden.amax(1).float()


def min_(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The smallest value of each dimension over tokens."""
    if mask is not None:
        hidden = hidden.masked_fill(~mask[:, :, None], float("inf"))
    return hidden.amin(1).float()


def last(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The last token's state: ``[SEP]`` or ``</s>`` where the tokenizer puts one there."""
    return cls_from_end(hidden, mask, back=1)


def std(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """The standard deviation over tokens (of all of them, not an estimate: divided by n)."""
    away = hidden.float() - mean(hidden, mask)[:, None]
    return mean(away.square(), mask).sqrt()


def cls_from_end(hidden: Tensor, mask: Tensor | None, *, back: int) -> Tensor:
    """The state of the token that stands ``back`` tokens from a text's end, 1 for the last."""
    if mask is None:
        return hidden[:, -back].float()
    position = (mask.sum(1) - back)[:, None, None].expand(-1, 1, hidden.shape[2])
    return hidden.gather(1, position)[:, 0].float()


def cls_from_start(hidden: Tensor, mask: Tensor | None, *, place: int) -> Tensor:
    """The state of a token behind the first."""
    return hidden[:, place].float()


#: Every pooling by its name in a selection, in the order in which a bank keeps them.
POOLINGS: dict[str, Pooling] = {
    "cls": Pooling(cls, "first"),
    "mean": Pooling(mean, "mean"),
    "max": Pooling(max_, "max"),
    "min": Pooling(min_, "min"),
    "last": Pooling(last, "last"),
    "std": Pooling(std, "rms"),
    "mean_no_special": Pooling(mean, "mean", special=False),
}


#: What is stored when nothing is asked for.
DEFAULT = ("cls", "mean", "max")


def choose_poolings(names: str | Iterable[str]) -> tuple[str, ...]:
    """Names of poolings without repeats, in the order in which a bank keeps them.

    Raises
    ------
    InputError
        When a name is unknown, or there is none.
    """
    names = tuple(names.replace(" ", "").split(",") if isinstance(names, str) else names)
    if unknown := [name for name in names if name not in POOLINGS]:
        raise InputError(
            f"there is no pooling {unknown[0]!r}: choose from {', '.join(POOLINGS)} (the encoder's "
            "own pooler is stored by itself when the checkpoint holds its weights)"
        )
    if not names:
        raise InputError(f"no pooling was asked for: choose from {', '.join(POOLINGS)}")
    return order_poolings(tuple(name for name in POOLINGS if name in names))


def poolings_of(names: Iterable[str], cls_place: int = 0) -> list[Pooling]:
    """Poolings by their names.

    Parameters
    ----------
    cls_place
        Where the encoder's CLS token is: from the start, or from the end where negative.
    """
    found = dict(POOLINGS)
    if cls_place > 0:
        found["cls"] = Pooling(partial(cls_from_start, place=cls_place), "first")
    elif cls_place < 0:
        found["cls"] = Pooling(partial(cls_from_end, back=-cls_place), "first")
    return [found[name] for name in names]


def marks_special(names: Iterable[str]) -> bool:
    """Whether any of these poolings has to know which tokens are special."""
    return not all(POOLINGS[name].special for name in names)
