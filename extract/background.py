"""Work that runs beside the encoder: tokenising the next stretch, writing the last batches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

from features.disk.writer import BankWriter
from features.errors import BankLost

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[BankWriter], None]


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
    """Adds rows to a bank in threads of its own, behind a bounded queue.

    There is one thread, with one segment in memory, for as long as it keeps up. Where the queue
    is full, another joins it: then one converts rows while others wait for the disk.

    Use it as a context manager: leaving it waits until all rows are added and committed, whatever
    the reason for leaving. A first Ctrl-C meanwhile is raised once that is done, a second at once.

    Parameters
    ----------
    new_writer
        Makes what adds the rows, one for each thread.
    waiting
        Batches that may wait for the threads before :meth:`add` does.
    most
        Threads at most.
    idle_seconds
        A thread that has nothing to add looks so often whether its segment has become old.
    """

    def __init__(
        self,
        new_writer: Callable[[], BankWriter],
        waiting: int = 1,
        most: int = 1,
        *,
        idle_seconds: float = 5.0,
    ) -> None:
        self._new_writer = new_writer
        self._idle_seconds = idle_seconds
        self._most_waiting, self._most = waiting, most
        self._queue: deque[Work] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._writers: list[BankWriter] = []
        self._threads: list[tuple[threading.Thread, threading.Event]] = []
        self._failure: BaseException | None = None
        self._error: BaseException | None = None

    def add(self, *rows: Any) -> None:
        """As :meth:`BankWriter.add`, later; raises what an earlier one raised."""
        self._refuse_after_failure()
        if len(self._queue) >= self._most_waiting and len(self._writers) < self._most:
            self._start()
        self._later(lambda writer: self._take(writer, rows))

    def flush(self, then: Callable[[], None]) -> None:
        """Commit all that was added, later, and then call ``then``; raises as :meth:`add`."""
        self._refuse_after_failure()
        # Each thread takes one of these, since it waits in it for the others.
        together = threading.Barrier(len(self._writers), lambda: self._unless_failed(then))

        def flush(writer: BankWriter) -> None:
            self._unless_failed(writer.flush)
            with suppress(threading.BrokenBarrierError):
                together.wait()

        try:
            for _ in self._writers:
                self._later(flush)
        except BaseException:  # Ctrl-C, and some threads would wait for ever
            together.abort()
            raise

    @property
    def n_committed(self) -> int:
        """Rows that are safe on disk."""
        return sum(writer.n_committed for writer in self._writers)

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _later(self, work: Work) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) < self._most_waiting)
            self._queue.append(work)
            self._changed.notify_all()

    def _start(self) -> None:
        writer, done = self._new_writer(), threading.Event()
        name = f"bank-writer-{len(self._writers) + 1}"
        thread = threading.Thread(target=self._work, args=(writer, done), name=name, daemon=True)
        self._writers.append(writer)
        self._threads.append((thread, done))
        thread.start()

    def _work(self, writer: BankWriter, done: threading.Event) -> None:
        while (work := self._next()) is not None:
            work(writer)
        error = self._failure or self._error
        kind = None if error is None else type(error)
        self._try(lambda: writer.__exit__(kind, error, None))
        done.set()

    def _next(self) -> Work | None:
        """What a thread is to do now; None when all is done and no more will come."""
        with self._changed:
            if not self._queue and not self._closing:
                self._changed.wait(self._idle_seconds)
            if self._queue:
                self._changed.notify_all()
                return self._queue.popleft()
            if self._closing:
                return None
        return lambda writer: self._unless_failed(writer.commit_old)

    def _take(self, writer: BankWriter, rows: tuple[Any, ...]) -> None:
        if isinstance(self._failure, BankLost):  # whose rows are safe elsewhere, and these too
            self._try(lambda: writer.add(*rows))
        else:
            self._unless_failed(lambda: writer.add(*rows))

    def _unless_failed(self, work: Callable[[], None]) -> None:
        # After a failure the queue is only emptied, so that nobody waits for room in it.
        if self._failure is None:
            self._try(work)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failure = self._failure or error

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._error = error
        interrupt = error if isinstance(error, KeyboardInterrupt) else None
        # Without one that Ctrl-C kept from starting.
        running = threading.enumerate()
        # Not by joining the threads: a join that was interrupted takes its thread for ended.
        ends = [done for thread, done in self._threads if thread in running]
        while not all(done.is_set() for done in ends):
            try:
                with self._changed:
                    self._closing = True
                    self._changed.notify_all()
                for done in ends:
                    done.wait()
            except KeyboardInterrupt as first:
                if interrupt is not None:
                    raise
                interrupt = first
        if self._failure is not None and error is not self._failure:
            raise self._failure
        if interrupt is not None and interrupt is not error:
            raise interrupt
