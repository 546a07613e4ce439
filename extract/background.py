"""Work that runs beside the encoder: tokenising the next window, writing the last batches."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

from features.writer import BankWriter

T = TypeVar("T")
R = TypeVar("R")


def one_ahead(
    function: Callable[[T], Iterable[R]], items: Iterable[T]
) -> Generator[tuple[T, list[R]]]:
    """Each item with what the function gives, computed while the item before is in use.

    The items themselves are taken in the caller's thread: not every source may be read in another.
    Closing the generator stops what is being computed.
    """
    stopped = threading.Event()

    def collect(item: T) -> list[R]:
        return [result for result in function(item) if not stopped.is_set() or _give_up()]

    with ThreadPoolExecutor(1, thread_name_prefix="tokenize") as pool:
        waiting: tuple[T, Future[list[R]]] | None = None
        try:
            for item in items:
                future = pool.submit(collect, item)
                if waiting is not None:
                    yield waiting[0], waiting[1].result()
                waiting = item, future
            if waiting is not None:
                yield waiting[0], waiting[1].result()
        finally:
            stopped.set()


def _give_up() -> NoReturn:
    raise CancelledError


class BackgroundWriter:
    """Adds rows to a bank in a thread of its own, behind a bounded queue.

    Use it as a context manager around a :class:`features.writer.BankWriter`: leaving it waits
    until all rows are added and committed, whatever the reason for leaving. A first Ctrl-C
    meanwhile is raised once that is done, a second at once.

    Parameters
    ----------
    writer
        Adds the rows.
    waiting
        Batches that may wait for it before :meth:`add` does.
    """

    def __init__(self, writer: BankWriter, waiting: int = 1) -> None:
        self._writer = writer
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(waiting)
        self._failure: BaseException | None = None
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name="bank-writer", daemon=True)

    def add(self, *rows: Any) -> None:
        """As :meth:`features.writer.BankWriter.add`, later; raises what an earlier one raised."""
        self._later(lambda: self._writer.add(*rows))

    def flush(self, then: Callable[[], None]) -> None:
        """Commit all that was added, later, and then call ``then``; raises as :meth:`add`."""

        def flush() -> None:
            self._writer.flush()
            then()

        self._later(flush)

    def _later(self, work: Callable[[], None]) -> None:
        if self._failure is not None:
            raise self._failure
        self._queue.put(work)

    @property
    def n_committed(self) -> int:
        """Rows that are safe on disk."""
        return self._writer.n_committed

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            # After a failure the queue is emptied, so that nobody waits for room in it.
            if self._failure is None:
                self._try(work)
        error = self._failure or self._error
        kind = None if error is None else type(error)
        self._try(lambda: self._writer.__exit__(kind, error, None))
        self._done.set()

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failure = self._failure or error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._error = error
        interrupt = error if isinstance(error, KeyboardInterrupt) else None
        # Not by joining the thread: a join that was interrupted takes the thread for ended.
        while not self._done.is_set():
            try:
                self._queue.put(None)
                self._done.wait()
            except KeyboardInterrupt as first:
                if interrupt is not None:
                    raise
                interrupt = first
        if self._failure is not None and error is not self._failure:
            raise self._failure
        if interrupt is not None and interrupt is not error:
            raise interrupt
