"""Ctrl-C, as a command that has something to commit wants it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)
SAID = b"\nstopping: what is done is being written (Ctrl-C again stops at once)\n"


@contextmanager
def second_ctrl_c_stops() -> Iterator[None]:
    """The first Ctrl-C raises KeyboardInterrupt as ever, the second ends the process.

    Nothing that was committed can be harmed by that: a commit is one rename. Only for a process
    that ends after an interrupt, and its main thread; for a library it would be too rude.
    """

    def first(number: int, frame: FrameType | None) -> None:
        for stopping in STOPPING:
            signal.signal(stopping, second)
        # Not by logging: the signal may have come in the middle of a write.
        with suppress(OSError):  # the same Ctrl-C may have ended whoever reads it
            os.write(2, SAID)
        raise KeyboardInterrupt

    def second(number: int, frame: FrameType | None) -> None:
        os._exit(128 + number)

    before = {number: signal.signal(number, first) for number in STOPPING}
    yield
    # Not after an interrupt: what is left to do then may be stopped as well.
    for number, handler in before.items():
        signal.signal(number, handler)
