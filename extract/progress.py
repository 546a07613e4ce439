"""How far an extraction is, on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from features.console.progress import progress_bar, quiet_tqdm

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
