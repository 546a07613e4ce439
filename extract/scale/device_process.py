"""The process that runs the encoder on one of several devices; :mod:`extract.scale.crew` starts it.

It asks for a stretch of texts, encodes it into the bank, says when all of it is committed, and
asks again, until its caller hangs up.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from extract.engines.encoder import DeviceFailed
from extract.options import RunOptions
from extract.plan import Plan
from extract.texts.stream import Stretch
from features.console.app import ROOMS
from features.errors import LayerbankError

log = logging.getLogger(__name__)

#: What the process says, as ``(word, ...)``.
ASK, EXPECT, ADVANCE, FINISHED, FAILED, BROKE, NOTE = range(7)


class Line:
    """The process's end of the connection; may be used by several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def say(self, *message: Any) -> None:
        """Send one message."""
        with self._lock:
            self._connection.send(message)

    def ask(self) -> Stretch | None:
        """The next stretch; None when there is none at the moment. EOFError when all is done."""
        self.say(ASK)
        stretch: Stretch | None = self._connection.recv()
        return stretch

    def expect(self, n_texts: int, n_tokens: int) -> None:
        """A stretch was tokenised."""
        self.say(EXPECT, n_texts, n_tokens)

    def advance(self, n_texts: int, n_tokens: int) -> None:
        """A batch was encoded."""
        self.say(ADVANCE, n_texts, n_tokens)


def main(
    connection: Connection,
    plan: Plan,
    options: RunOptions,
    cores: Sequence[int],
    level: int,
) -> None:
    """Work until there is no more to do, or nobody to work for.

    Parameters
    ----------
    connection
        To the caller.
    plan, options
        As of one process alone.
    cores
        To run on; empty for all.
    level
        Of the notes that the caller wants to hear.
    """
    # Ctrl-C reaches every process of a terminal; the caller then says what is to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    if cores and sys.platform == "linux":  # no other system names its cores
        os.sched_setaffinity(0, cores)
    line = Line(connection)
    for room in ROOMS:
        logger = logging.getLogger(room)
        logger.setLevel(level)
        logger.addHandler(_Notes(line))
        logger.propagate = False
    try:
        _work(line, plan, options)
    except (KeyboardInterrupt, EOFError, ConnectionError):
        pass  # asked to stop, all done, or the caller is gone
    except Exception as error:
        where = "".join(traceback.format_exception(error))
        if isinstance(error, LayerbankError) and not isinstance(error, DeviceFailed):
            line.say(FAILED, _portable(error, where))
            return
        # Not the input's fault, as far as one knows: another device may do what this one cannot.
        log.debug("%s", where)
        line.say(BROKE, (str(error).strip().splitlines() or [type(error).__name__])[0])
        sys.exit(1)


def _work(line: Line, plan: Plan, options: RunOptions) -> None:
    from extract.worker import Worker

    worker = Worker(plan, options)
    while True:
        # Nobody answers this one with None: the process has nothing in hand.
        first = line.ask()
        assert first is not None
        worker.run(
            chain([first], _more(line)),
            line,
            lambda stretch, counts: line.say(FINISHED, int(stretch.numbers[0]), *counts),
        )


def _more(line: Line) -> Iterator[Stretch]:
    while (stretch := line.ask()) is not None:
        yield stretch


def _stop(number: int, frame: object) -> NoReturn:
    # A second signal must not break what the first one began: committing what is done.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _portable(error: Exception, where: str) -> Exception:
    """The error as it can be sent, with the place where it happened."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(repr(error))
    error.add_note(f"in a process of --devices:\n{where}")
    return error


class _Notes(logging.Handler):
    """Sends notes to the caller, who says each of them once for all processes."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # nobody listens any more
            self._line.say(NOTE, record.name, record.levelno, record.getMessage())
