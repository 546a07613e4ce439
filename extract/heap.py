"""Memory that was freed and that the C library keeps.

Batches of ever other shapes leave holes in the heap. What glibc keeps in them came to 180 MiB
after 10,000 texts; once given back, most of it was not needed again.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable

#: Between two times that memory is given back, seconds: it takes some milliseconds each time.
EVERY = 20.0


class Heap:
    """Gives freed memory back to the system from time to time, where the C library can."""

    def __init__(self) -> None:
        self._trim = _malloc_trim()
        self._last = time.monotonic()

    def trim(self) -> None:
        """Give memory back, unless that was done within the last seconds."""
        if self._trim is not None and time.monotonic() - self._last >= EVERY:
            self._trim(0)
            self._last = time.monotonic()


def _malloc_trim() -> Callable[[int], int] | None:
    """``malloc_trim`` of glibc; None where there is another C library."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        function: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return function
