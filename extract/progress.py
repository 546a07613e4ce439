"""How far an extraction is, or a download before it, on stderr."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from tqdm.std import tqdm

from features.console.progress import progress_bar, quiet_tqdm
from features.console.show import human_bytes

log = logging.getLogger(__name__)

#: No bar is drawn before a download has taken so long, seconds.
BAR_SECONDS = 0.5

#: Between two lines on a download where no bar can be drawn, seconds.
LINE_SECONDS = 10.0

# Now, since transformers would let it complain in notebooks.
quiet_tqdm()


class Progress:
    """A bar that counts tokens, because they and not texts take time.

    Batches come longest first, so that a bar over texts would promise too late an end. Tokens of
    stretches that have not been read yet are estimated from those that have.

    Parameters
    ----------
    total
        New texts to come; None when unknown.
    shown
        Whether there is to be a bar at all.
    """

    def __init__(self, total: int | None, *, shown: bool) -> None:
        self._total = total
        self._known_texts = self._known_tokens = self._texts = self._tokens = 0
        self._began = time.perf_counter()
        self._bar = progress_bar(
            total=None,
            file=sys.stderr,
            disable=not shown,
            desc="extract",
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}",
        )

    def expect(self, n_texts: int, n_tokens: int) -> None:
        """A stretch of texts was read."""
        if not self._known_texts:  # what came before was loading the encoder
            self._began = time.perf_counter()
            self._bar.reset()
        self._known_texts += n_texts
        self._known_tokens += n_tokens
        rest = max(0, (self._total or 0) - self._known_texts)
        self._bar.total = self._known_tokens + rest * self._known_tokens // self._known_texts

    def advance(self, n_texts: int, n_tokens: int) -> None:
        """A batch was encoded."""
        self._texts += n_texts
        self._tokens += n_tokens
        seconds = max(1e-9, time.perf_counter() - self._began)
        total = f"/{max(self._total, self._known_texts):,}" if self._total is not None else ""
        self._bar.set_postfix_str(
            f"{self._texts:,}{total} texts, {self._texts / seconds:,.1f} texts/s, "
            f"{self._tokens / seconds:,.0f} tokens/s",
            refresh=False,
        )
        self._bar.update(n_tokens)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()


@contextmanager
def download_bars(name: str) -> Iterator[type[Any]]:
    """A class of bars for the hub's library to make while it fetches an encoder.

    It makes several; what is shown is one, of all bytes on the disk, with rate and time left. Where
    stderr is no terminal, a line is logged now and then instead. Nothing is shown where the
    packages' notes are not (``--quiet``).
    """
    quiet = logging.getLogger("extract").level > logging.INFO
    drawn = sys.stderr is not None and sys.stderr.isatty()
    made: list[Any] = []

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            # Of the bytes that come and those that are written, the latter; and not of the files.
            counts = options.get("unit") == "B" and options.get("desc") != "Downloading bytes"
            self._lines = Lines(name) if counts and not drawn and not quiet else None
            options.pop("bar_format", None)
            options |= {
                "desc": f"fetch {name}", "unit_divisor": 1024, "file": sys.stderr,
                "disable": not counts or not drawn or quiet, "delay": BAR_SECONDS,
            }  # fmt: skip
            super().__init__(*args, **options)
            made.append(self)

        def update(self, n: float | None = 1) -> Any:
            if self._lines is not None:
                self._lines.advance(int(n or 0), self.total)
            return super().update(n)

        def refresh(self, *args: Any, **options: Any) -> Any:
            # The library asks for it as soon as it knows of a file.
            early = not self.disable and time.time() < self.start_t + BAR_SECONDS
            return False if early else super().refresh(*args, **options)

        def set_description(self, desc: str | None = None, refresh: bool | None = True) -> None:
            """Nothing: ours stays."""

        def set_description_str(self, desc: str | None = None, refresh: bool | None = True) -> None:
            """Nothing: ours stays."""

        def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
            """Nothing: the rate stands there already."""

    try:
        yield Bar
    finally:
        for bar in made:  # the library leaves them as they are
            bar.close()


class Lines:
    """Logs how far a download is, now and then.

    >>> Lines("roberta-base").line(3 << 20, 12 << 20, 6.0)
    'roberta-base: 3.0 MiB of 12.0 MiB, 512.0 KiB/s, 18 s left'
    """

    def __init__(self, name: str) -> None:
        self._name, self._n_bytes = name, 0
        self._began = self._last = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, n_bytes: int, total: float | None) -> None:
        """So many bytes more of what is known to come; called by any thread."""
        with self._lock:
            self._n_bytes += n_bytes
            now = time.monotonic()
            if now - self._last >= LINE_SECONDS:
                self._last = now
                log.info("%s", self.line(self._n_bytes, total, now - self._began))

    def line(self, n_bytes: int, total: float | None, seconds: float) -> str:
        """What is said after so many seconds."""
        rate = n_bytes / seconds
        of, left = "", ""
        if total and total >= n_bytes:
            of = f" of {human_bytes(total)}"
            left = f", {(total - n_bytes) / rate:.0f} s left" if rate else ""
        return f"{self._name}: {human_bytes(n_bytes)}{of}, {human_bytes(rate)}/s{left}"
