"""Adding rows to a bank: buffer, convert, commit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.blocks import Block
from features.commit import commit, log, sweep
from features.errors import BankError, CommitError
from features.format import Setup, segment_name
from features.keys import KEY_SIZE
from features.lock import committing
from features.rows import Rows, segment_image

#: The largest finite float16.
FLOAT16_MAX = 65504.0


class BankWriter:
    """Adds rows to a bank, a segment at a time; use it as a context manager.

    A segment is committed when it is full, when it is a minute old, and on leaving the context,
    whatever the reason: what was added is never thrown away. Any number of writers may add to
    one bank at once.

    Parameters
    ----------
    folder, setup, fingerprint, blocks
        The bank's.
    provenance
        Recorded in each segment: versions, device, engine.
    segment_bytes
        Data in a full segment, bytes.
    segment_seconds
        Age at which a segment is committed as it is, seconds.
    """

    def __init__(
        self,
        folder: Path,
        setup: Setup,
        fingerprint: str,
        blocks: Sequence[Block],
        provenance: Mapping[str, Any],
        *,
        segment_bytes: int = 256 << 20,
        segment_seconds: float = 60.0,
    ) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._blocks = tuple(blocks)
        self._hidden = int(setup["hidden_size"])
        self._provenance = dict(provenance)
        self._seconds = segment_seconds
        dtypes = ["<f4"] if setup["precision"] == "fp32" else ["<f2", "<f4"]
        self._buffers = {
            dtype: _Buffer(np.dtype(dtype), len(blocks), self._hidden, segment_bytes)
            for dtype in dtypes
        }
        self.n_committed = 0
        sweep(folder)

    def add(
        self,
        keys: NDArray[np.uint8],
        n_tokens: NDArray[np.int32],
        truncated: NDArray[np.bool_],
        blocks: NDArray[np.float32],
    ) -> None:
        """Add n rows.

        Parameters
        ----------
        keys
            Shape ``(n, 32)``, uint8.
        n_tokens, truncated
            Shape ``(n,)``.
        blocks
            Shape ``(n, n_blocks, hidden)``, float32, blocks in the bank's order, all finite.

        Raises
        ------
        BankError
            When a value is not finite.
        CommitError
            When a segment could not be written; it stays in memory for another try.
        """
        n = len(keys)
        if keys.shape != (n, KEY_SIZE) or blocks.shape != (n, len(self._blocks), self._hidden):
            raise ValueError(f"rows of shape {keys.shape}, {blocks.shape} do not fit the bank")
        largest = np.abs(blocks).max(axis=(1, 2), initial=0.0)
        if not np.isfinite(largest).all():
            raise BankError("a row holds a number that is not finite, and was refused")
        # The dtype of a row depends on that row alone, never on its neighbours.
        fits = largest <= FLOAT16_MAX
        for dtype, buffer in self._buffers.items():
            chosen = np.ones(n, bool) if len(self._buffers) == 1 else fits == (dtype == "<f2")
            for at in _slices(np.flatnonzero(chosen), buffer):
                buffer.append(keys[at], n_tokens[at], truncated[at], blocks[at])
                if buffer.full or buffer.age() >= self._seconds:
                    self._commit(buffer)

    def flush(self) -> None:
        """Commit everything that was added."""
        for buffer in self._buffers.values():
            if buffer.n:
                self._commit(buffer)

    def _commit(self, buffer: _Buffer) -> None:
        rows = buffer.rows(self._blocks)
        image = segment_image(rows, self._fingerprint, self._provenance)
        with committing(self._folder):
            path = commit(self._folder, image, segment_name)
            log(self._folder, "commit", path.name, len(rows))
        self.n_committed += len(rows)
        buffer.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After a failed commit another try would fail like it, and hide the first error.
        if not isinstance(error, CommitError):
            self.flush()


def _slices(positions: NDArray[np.int64], buffer: _Buffer) -> Any:
    """Positions in runs that each fit into what room the buffer has by then."""
    while len(positions):
        room = buffer.capacity - buffer.n
        yield positions[:room]
        positions = positions[room:]


class _Buffer:
    """Rows of one dtype, block by block, as a segment will hold them."""

    def __init__(self, dtype: np.dtype[Any], n_blocks: int, hidden: int, size: int) -> None:
        self.capacity = max(1, size // (n_blocks * hidden * dtype.itemsize))
        self._shape = (n_blocks, self.capacity, hidden)
        self._dtype = dtype
        self._values: NDArray[Any] | None = None
        self.clear()

    def clear(self) -> None:
        self.n = 0
        self._keys: list[NDArray[np.uint8]] = []
        self._n_tokens: list[NDArray[np.int32]] = []
        self._truncated: list[NDArray[np.bool_]] = []

    def age(self) -> float:
        return time.monotonic() - self._since

    @property
    def full(self) -> bool:
        return self.n >= self.capacity

    def append(
        self,
        keys: NDArray[np.uint8],
        n_tokens: NDArray[np.int32],
        truncated: NDArray[np.bool_],
        blocks: NDArray[np.float32],
    ) -> None:
        if self._values is None:
            # Pages that are never written to cost no memory.
            self._values = np.empty(self._shape, self._dtype)
        if not self.n:
            self._since = time.monotonic()
        self._values[:, self.n : self.n + len(keys)] = blocks.transpose(1, 0, 2)
        self._keys.append(keys)
        self._n_tokens.append(n_tokens)
        self._truncated.append(truncated)
        self.n += len(keys)

    def rows(self, blocks: Sequence[Block]) -> Rows:
        assert self._values is not None
        return Rows(
            np.concatenate(self._keys),
            np.concatenate(self._n_tokens),
            np.concatenate(self._truncated),
            {block: self._values[i, : self.n] for i, block in enumerate(blocks)},
        )
