"""What an extraction did, for people."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from features.console.show import human_bytes


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """What :func:`extract.extract` did.

    Parameters
    ----------
    bank
        The bank's folder.
    n_new
        Distinct texts that went through the encoder.
    n_reused
        The other texts of the input: the bank had them, or the input repeats them.
    n_truncated
        New texts that were cut off at the bank's maximum length.
    n_tokens
        Tokens of the new texts, special ones included.
    seconds
        Wall-clock time of the whole call.
    bank_bytes
        Size of the bank on disk afterwards.
    n_literal
        New texts in which one of the encoder's own special tokens stands (``[SEP]``, ``</s>``).
    """

    bank: Path
    n_new: int
    n_reused: int
    n_truncated: int
    n_tokens: int
    seconds: float
    bank_bytes: int
    n_literal: int = 0

    def _repr_html_(self) -> str:
        from features.console import html

        per_second = self.n_new / self.seconds if self.seconds > 0 else 0.0
        return html.box(
            html.heading(f"bank {self.bank.name.removesuffix('.bank')}"),
            html.facts(
                {
                    "encoded": f"{self.n_new:,} texts, {self.n_tokens:,} tokens, in "
                    f"{self.seconds:.1f} s ({per_second:,.1f} texts/s)",
                    "there before": f"{self.n_reused:,}",
                    "cut off": f"{self.n_truncated:,}",
                    **({"with special tokens": f"{self.n_literal:,}"} if self.n_literal else {}),
                    "on disk": f"{human_bytes(self.bank_bytes)} in {self.bank}",
                }
            ),
        )


def summary(report: ExtractReport, max_length: int, *, kept: bool) -> str:
    """The one line that ends an extraction; for ``kept`` see :func:`literal_texts`."""
    return (
        f"{report.bank}: {report.n_new:,} texts new, {report.n_reused:,} reused, "
        f"{report.n_truncated:,} of the new ones truncated at {max_length} tokens; "
        f"{literal_texts(report.n_literal, kept=kept)}{took(report.seconds)}; "
        f"bank {human_bytes(report.bank_bytes)}"
    )


def literal_texts(n: int, *, kept: bool) -> str:
    """What a line says of n texts that hold special tokens, ended by a semicolon; none of no text.

    >>> literal_texts(0, kept=False), literal_texts(2, kept=True)
    ('', '2 hold special tokens of the encoder, taken as tokens; ')
    """
    if not n:
        return ""
    if kept:
        how = "taken as tokens"
    else:
        how = "read as text (--special-tokens keep takes them as tokens)"
    return f"{n:,} hold{'s' * (n == 1)} special tokens of the encoder, {how}; "


def took(seconds: float) -> str:
    """A time for people.

    >>> took(4.21), took(75), took(7300)
    ('4.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def folder_bytes(folder: Path) -> int:
    """Size of a bank on disk; 0 where there is none."""
    if not folder.is_dir():
        return 0
    n_bytes = 0
    for entry in folder.iterdir():
        # Another writer may have renamed its file since.
        with suppress(FileNotFoundError):
            status = entry.stat()
            n_bytes += status.st_size if S_ISREG(status.st_mode) else 0
    return n_bytes


def new_bank(path: Path) -> str:
    """That a bank is made, and beside which others: the name may be a slip.

    Other folders are told by their names alone.
    """
    folder = path.absolute().parent
    beside = sorted(each.name for each in folder.glob("*.bank")) if folder.is_dir() else []
    shown = ", ".join(beside[:3]) + (f" and {len(beside) - 3} more" if len(beside) > 3 else "")
    return f"new bank {path}" + (f" (beside {shown})" if beside else "")
