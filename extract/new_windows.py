"""What of an input is new, in memory that does not grow with it: for several processes."""

from __future__ import annotations

from collections.abc import Iterator

from extract.batching import WINDOW, NewTexts, Window
from extract.plan import Plan
from extract.shards import Picked
from features.bank import Bank, is_bank

#: Keys that are remembered, 32 bytes each, before the bank is asked to remember them.
REMEMBERED = 1 << 22
#: A small input is cut so that every process gets about this many windows, of at least so many
#: texts.
WINDOWS_EACH, SMALLEST_WINDOW = 4, 32


class NewWindows:
    """Windows of new texts in memory that does not grow with the input.

    Of what the bank has, no key need be remembered. So from time to time all that was handed out
    has to be committed first: then :meth:`next` gives nothing until it is.

    Attributes
    ----------
    n_read, n_new
        As of :class:`extract.batching.NewTexts`.
    exhausted
        Whether the input has ended.
    """

    def __init__(self, plan: Plan, texts: Picked, size: int) -> None:
        self._plan, self._texts, self._size = plan, texts, size
        self.n_read = self.n_new = 0
        self.exhausted = False
        self._begin(plan.bank)

    def _begin(self, bank: Bank | None) -> None:
        self._part = NewTexts(self._texts, bank, self._size, limit=REMEMBERED)
        self._windows: Iterator[Window] | None = iter(self._part)
        self._read_before, self._new_before = self.n_read, self.n_new

    def next(self, *, all_committed: bool) -> Window | None:
        """The next window; None when there is none, or none before all is committed."""
        while not self.exhausted:
            window = next(self._windows, None) if self._windows is not None else None
            self.n_read = self._read_before + self._part.n_read
            self.n_new = self._new_before + self._part.n_new
            if window is not None:
                return window
            if self._part.n_read < REMEMBERED:
                self.exhausted = True
            elif all_committed:
                self._begin(bank_of(self._plan))
            else:
                self._windows = None
                return None
        return None


def bank_of(plan: Plan) -> Bank | None:
    """The bank as it stands now."""
    return Bank.open(plan.path) if is_bank(plan.path) else None


def window_size(n_texts: int | None, n_processes: int) -> int:
    """Texts in a window: as many as one process takes, fewer where they would not go round."""
    if n_texts is None:
        return WINDOW
    return min(WINDOW, max(SMALLEST_WINDOW, -(-n_texts // (WINDOWS_EACH * n_processes))))


def count_new_windows(plan: Plan, texts: Picked) -> int:
    """Texts that the bank lacks, for the progress bar; a repeated one may count again."""
    n_new = 0
    while True:
        part = NewTexts(texts, plan.bank, limit=REMEMBERED)
        for _ in part:
            pass
        n_new += part.n_new
        if part.n_read < REMEMBERED:
            return n_new
