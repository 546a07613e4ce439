"""Adding rows to a bank: buffer, convert, commit."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from features.disk.atomic import sweep
from features.disk.commit import commit, committing
from features.disk.format import segment_name
from features.disk.image import Rows, segment_image
from features.disk.journal import note
from features.disk.layout import block_types
from features.disk.manifest import Manifest
from features.disk.rescue import is_lost, rescue_bank
from features.disk.system import refuse_writing_banks
from features.errors import BankError, BankLost, CommitError
from features.keys import KEY_SIZE
from features.selection import Block, bank_blocks

logger = logging.getLogger(__name__)

#: The largest finite float16.
FLOAT16_MAX = 65504.0

#: Keys, n_tokens, truncated and blocks of some rows.
_Rows = tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.bool_], NDArray[np.float32]]


class BankWriter:
    """Adds rows to a bank, a segment at a time; use it as a context manager.

    A segment is committed when it is full, when it is a minute old, and on leaving the context,
    whatever the reason: what was added is never thrown away. Any number of writers may add to
    one bank at once. Where the bank has gone, its rows go to a new one beside it.

    Parameters
    ----------
    folder, manifest
        The bank's.
    provenance
        Recorded in each segment: versions, device, engine.
    segment_bytes
        Data in a full segment, bytes.
    segment_seconds
        Age at which a segment is committed as it is, seconds.

    Raises
    ------
    BankError
        Where the operating system only reads banks.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        provenance: Mapping[str, Any],
        *,
        segment_bytes: int = 256 << 20,
        segment_seconds: float = 60.0,
    ) -> None:
        refuse_writing_banks(folder)  # before anything is encoded for it
        self._folder = folder
        self._manifest = manifest
        self._blocks = bank_blocks(manifest.setup)
        self._hidden = int(manifest.setup["hidden_size"])
        self._provenance = dict(provenance)
        self._seconds = segment_seconds
        dtypes = block_types(manifest.setup["precision"])
        self._buffers = {
            dtype: _Buffer(np.dtype(dtype), len(self._blocks), self._hidden, segment_bytes)
            for dtype in dtypes
        }
        #: The bank that takes in what this one cannot, once it has gone.
        self._rescued: Path | None = None
        #: Rows that found no room when a commit failed: ``(dtype, keys, …)``.
        self._waiting: deque[tuple[str, _Rows]] = deque()
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
            When a segment could not be written. All n rows stay in memory: call :meth:`flush`, or
            add more, and they are tried again.
        BankLost
            When the bank has gone; all rows are safe in another.
        """
        n = len(keys)
        if keys.shape != (n, KEY_SIZE) or blocks.shape != (n, len(self._blocks), self._hidden):
            raise ValueError(f"rows of shape {keys.shape}, {blocks.shape} do not fit the bank")
        largest = np.maximum(
            blocks.max(axis=(1, 2), initial=0.0), -blocks.min(axis=(1, 2), initial=0.0)
        )
        if not np.isfinite(largest).all():
            raise BankError("a row holds a number that is not finite, and was refused")
        # The dtype of a row depends on that row alone, never on its neighbours.
        fits = largest <= FLOAT16_MAX
        for dtype in self._buffers:
            chosen = fits == (dtype == "<f2") if len(self._buffers) > 1 else np.ones(n, bool)
            some = slice(None) if chosen.all() else np.flatnonzero(chosen)
            rows = (keys[some], n_tokens[some], truncated[some], blocks[some])
            self._waiting.append((dtype, rows))
        try:
            self._take_in()
        except BaseException:
            # The caller may use these arrays again.
            self._waiting = deque((dtype, _copy(rows)) for dtype, rows in self._waiting)
            raise

    def _take_in(self) -> None:
        """Move rows into the buffers, and commit those that are full, or old."""
        while self._waiting:
            dtype, rows = self._waiting[0]
            buffer = self._buffers[dtype]
            if buffer.room == 0:
                self._commit(buffer)
            taken = buffer.append(rows)
            if taken < len(rows[0]):
                self._waiting[0] = (dtype, _after(rows, taken))
            else:
                self._waiting.popleft()
            if buffer.room == 0:
                self._commit(buffer)
        self.commit_old()

    def commit_old(self) -> None:
        """Commit the segments that are old enough; CommitError when that fails, as in `flush`."""
        for buffer in self._buffers.values():
            if buffer.age() >= self._seconds:
                self._commit(buffer)
        self._refuse_lost()

    def flush(self) -> None:
        """Commit everything that was added; CommitError when that fails, and nothing is lost."""
        self._take_in()
        self._commit_all()
        self._refuse_lost()

    def _commit_all(self) -> None:
        for buffer in self._buffers.values():
            if buffer.n:
                self._commit(buffer)

    def _commit(self, buffer: _Buffer) -> None:
        self._look_for_bank()
        try:
            self._write(buffer)
        except CommitError:
            if not self._look_for_bank():
                raise
            self._write(buffer)

    def _look_for_bank(self) -> bool:
        """Whether the bank has just been found to have gone, and another been made."""
        if self._rescued is not None or not is_lost(self._folder, self._manifest):
            return False
        self._rescued = rescue_bank(self._folder, self._manifest)
        return True

    def _refuse_lost(self) -> None:
        """BankLost once the bank has gone, and all that is at hand is safe in another."""
        if self._rescued is not None:
            self._commit_all()
            raise BankLost(self._folder, self._rescued)

    def _write(self, buffer: _Buffer) -> None:
        folder = self._rescued or self._folder
        rows = buffer.rows(self._blocks)
        image = segment_image(rows, self._manifest, self._provenance)
        with committing(folder):
            again, buffer.failed = buffer.failed, True
            path = commit(folder, image, segment_name, again=again)
            note(folder, "commit", path.name, len(rows))
        if self._rescued is None:
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
        try:
            self.flush()
        except CommitError as failure:
            if error is None:
                raise
            if isinstance(failure, BankLost) and not isinstance(error, BankLost):
                logger.warning("%s", failure)  # not to be missed, whatever stopped the caller
            # What went wrong first is what the caller should see.
            error.add_note(f"and on leaving, {failure}")


def _before(rows: _Rows, stop: int) -> _Rows:
    keys, n_tokens, truncated, blocks = rows
    return keys[:stop], n_tokens[:stop], truncated[:stop], blocks[:stop]


def _after(rows: _Rows, taken: int) -> _Rows:
    keys, n_tokens, truncated, blocks = rows
    return keys[taken:], n_tokens[taken:], truncated[taken:], blocks[taken:]


def _copy(rows: _Rows) -> _Rows:
    keys, n_tokens, truncated, blocks = rows
    return keys.copy(), n_tokens.copy(), truncated.copy(), blocks.copy()


class _Buffer:
    """Rows of one dtype, block by block, as a segment will hold them."""

    def __init__(self, dtype: np.dtype[Any], n_blocks: int, hidden: int, size: int) -> None:
        self.capacity = max(1, size // (n_blocks * hidden * dtype.itemsize))
        self._shape = (n_blocks, self.capacity, hidden)
        self._dtype = dtype
        self._values: NDArray[Any] | None = None
        self.clear()

    def clear(self) -> None:
        """Hold no rows, as at first."""
        self.n = 0
        #: Whether a commit of these rows failed.
        self.failed = False
        self._keys: list[NDArray[np.uint8]] = []
        self._n_tokens: list[NDArray[np.int32]] = []
        self._truncated: list[NDArray[np.bool_]] = []

    def age(self) -> float:
        """Seconds since the first row came in."""
        return time.monotonic() - self._since if self.n else 0.0

    @property
    def room(self) -> int:
        """Rows that it can still take in."""
        return self.capacity - self.n

    def append(self, rows: _Rows) -> int:
        """Take in as many rows as there is room for; how many."""
        keys, n_tokens, truncated, blocks = _before(rows, self.room)
        if not len(keys):
            return 0
        if self._values is None:
            # Pages that are never written to cost no memory.
            self._values = np.empty(self._shape, self._dtype)
        if not self.n:
            self._since = time.monotonic()
        self._values[:, self.n : self.n + len(keys)] = blocks.transpose(1, 0, 2)
        self._keys.append(keys.copy())
        self._n_tokens.append(n_tokens.copy())
        self._truncated.append(truncated.copy())
        self.n += len(keys)
        return len(keys)

    def rows(self, blocks: Sequence[Block]) -> Rows:
        """The rows as they go to disk."""
        assert self._values is not None
        return Rows(
            np.concatenate(self._keys),
            np.concatenate(self._n_tokens),
            np.concatenate(self._truncated),
            {block: self._values[i, : self.n] for i, block in enumerate(blocks)},
        )
