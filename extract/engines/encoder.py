"""The seam between the pipeline and the engine that runs the encoder.

The pipeline knows texts, batches and the bank; an engine knows a device. What passes between them
is :class:`Batch` one way and :class:`Pooled` the other. A new engine implements :class:`Encoder`,
is entered in :func:`extract.engines.load.load_encoder`, and passes the tests that hold every
engine against the plain forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from features.errors import EncoderError

#: Engines by name; see :func:`extract.engines.load.load_encoder`.
ENGINES = ("auto", "torch", "openvino")

#: How libraries say that memory ran out.
OUT_OF_MEMORY = (
    "out of memory", "can't allocate", "failed to allocate", "alloc_failed", "bad_alloc",
)  # fmt: skip


class Batch(NamedTuple):
    """Texts as token ids, longest first, padded on the right. B texts, T tokens at most."""

    ids: NDArray[np.int64]
    """Shape ``(B, T)``."""
    mask: NDArray[np.bool_] | None
    """Shape ``(B, T)``, False at padding; None when all texts have T tokens."""
    type_ids: NDArray[np.int64] | None
    """Shape ``(B, T)``, 1 in the second text of a pair; None where the model takes none or all
    are 0."""
    content: NDArray[np.bool_] | None = None
    """Shape ``(B, T)``, False at padding and special tokens; None where no pooling asks."""


class Pooled(NamedTuple):
    """What an encoder gives for a batch of B texts."""

    values: NDArray[np.float32]
    """Shape ``(B, n_blocks, hidden_size)``, the blocks in the bank's order."""
    finite: NDArray[np.bool_]
    """Shape ``(B,)``: whether all of a text's numbers are finite."""


class Pending(Protocol):
    """A batch under way on the device."""

    def result(self) -> Pooled:
        """Wait for the batch; what it gives is the caller's own.

        Raises
        ------
        DeviceOutOfMemory
            When the batch is too large for the device; the encoder stays usable.
        """
        ...


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an encoder is to be run."""

    device: str
    """A resolved device: ``cpu``, ``cuda:0``, ``mps``."""
    precision: str
    """``fp32``, ``bf16`` or ``fp16``."""
    poolings: tuple[str, ...]
    """Names in :data:`extract.engines.pooling.POOLINGS`, in the bank's order."""
    max_length: int
    """Tokens of the longest text that will come."""
    cls_place: int = 0
    """Where the CLS token is that ``cls`` takes: from the start, or from the end where negative."""


class Encoder(Protocol):
    """A frozen encoder on a device, ready to run."""

    n_layers: int
    """Hidden states, the embedding output included: 13 for 12 transformer layers."""
    hidden_size: int
    has_pooler: bool
    """Whether the checkpoint holds the weights of the encoder's own pooler."""
    batch_tokens: int
    """Tokens in a batch that suit the device."""
    n_blocks: int
    """Vectors that it gives for a text."""
    pads: bool
    """Whether shorter texts may be padded: False where padding would change their numbers, and
    all texts of a batch must have one length."""
    ahead: int
    """Batches to submit before an earlier one's numbers are asked for, so that the device never
    waits for the host; 0 where :meth:`submit` itself does the work, and more would only fill
    memory."""
    n_writers: int
    """Threads that it may keep busy with writing to the bank."""
    provenance: dict[str, Any]
    """Engine, device and library versions: recorded with the rows, never compared."""

    def submit(self, batch: Batch) -> Pending:
        """Start a batch.

        Raises
        ------
        DeviceOutOfMemory
            As :meth:`Pending.result`, where the device knows at once.
        """
        ...


class NotConvertible(EncoderError):
    """An engine does not run this encoder, or not exactly; PyTorch may."""


class DeviceOutOfMemory(Exception):
    """A batch does not fit into the device's memory; a smaller one may.

    Parameters
    ----------
    n_texts, n_tokens
        Rows and columns of the batch.
    """

    def __init__(self, n_texts: int, n_tokens: int) -> None:
        super().__init__(n_texts, n_tokens)
        self.n_texts, self.n_tokens = n_texts, n_tokens


class DeviceFailed(EncoderError):
    """A device broke down, or has no room for the encoder; another may do."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a library's error says that memory ran out, on the host or on a device."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in said for sign in OUT_OF_MEMORY)


def refuse_long(name: str, rows: int | None, max_length: int) -> None:
    """EncoderError when the position table is too short, before a device can trip over it."""
    if rows is not None and rows < max_length:
        raise EncoderError(
            f"{name} has positions for {rows} tokens and the maximum length is {max_length}: give "
            f"--max-length {rows}"
        )
