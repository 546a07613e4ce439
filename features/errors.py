"""Every error that a user can cause, in one tree.

::

    LayerbankError
    ├── InputError               a file, column, row or option that the user gave
    │   └── NoTokens             texts that the encoder's tokenizer makes nothing of
    ├── SelectionError           a malformed selection, or one the bank cannot serve
    ├── BankError
    │   ├── NotABank             the folder holds no bank, or one of another format
    │   ├── FingerprintMismatch  the bank belongs to another encoder or set-up
    │   ├── MissingTexts         the bank lacks texts that were asked for
    │   ├── CorruptSegment       a file of the bank is not what was written
    │   └── CommitError          new rows could not be written; nothing old is harmed
    │       └── BankLost         the bank has gone from under its writer; its rows are safe
    ├── EncoderError             an encoder that cannot be found or used
    └── RunError                 a run folder that is missing, damaged or in the way

Each message is one sentence that names the file, row, column or key and the next step. The
command line prints it and exits with its code, which is 2 for all but `BankLost`; a traceback is a
bug.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class LayerbankError(Exception):
    """Base of everything that is the input's fault and not the program's."""

    #: What the command line exits with.
    exit_code = 2

    def __reduce__(self) -> tuple[Any, ...]:
        # As errors travel from another process, whatever their __init__ takes.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[Exception], args: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InputError(LayerbankError):
    """A file, column, row or option that the user gave cannot be used."""


class NoTokens(InputError):
    """The encoder's tokenizer gives no token for some texts, not even special ones.

    Attributes
    ----------
    texts
        Some of these, the first that were met among them.
    """

    def __init__(self, texts: Sequence[str | tuple[str, ...]]) -> None:
        first = texts[0] if isinstance(texts[0], str) else texts[0][0]
        shown = repr(first if len(first) <= 40 else f"{first[:40]}…")
        super().__init__(f"the text {shown} gives no token: leave it out")
        self.texts = tuple(texts)


class SelectionError(LayerbankError):
    """A selection is malformed, or names what the bank does not have."""


class BankError(LayerbankError):
    """Something about a bank."""


class NotABank(BankError):
    """The folder is not a bank, or has a format this version cannot read."""


class FingerprintMismatch(BankError):
    """The bank was made by another encoder or another set-up.

    Attributes
    ----------
    fields
        Names of the fields in which the two differ.
    """

    def __init__(self, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class MissingTexts(BankError):
    """The bank lacks texts that were asked for.

    Attributes
    ----------
    bank
        The bank's folder.
    count
        How many distinct texts are missing.
    positions
        Where they stand in the sequence that was asked for (0-based).
    """

    def __init__(
        self,
        bank: Path,
        count: int,
        positions: Sequence[int],
        *,
        source: str = "INPUT --text COL",
        row: int | None = None,
    ) -> None:
        super().__init__(
            f"the bank {bank} lacks {count} of the texts, first at row "
            f"{positions[0] + 1 if row is None else row}: add them with "
            f"`layerbank extract {source} --bank {shlex.quote(str(bank))}`"
        )
        self.bank = bank
        self.count = count
        self.positions = tuple(positions)

    def of(self, source: str, rows: Sequence[int]) -> MissingTexts:
        """The same of a file: `source` as the command line names it, and the number of each row."""
        row = rows[self.positions[0]]
        return MissingTexts(self.bank, self.count, self.positions, source=source, row=row)

    def among(self, rows: Sequence[int]) -> MissingTexts:
        """The same of a longer sequence: where in that each text that was asked for stands."""
        return MissingTexts(self.bank, self.count, [int(rows[i]) for i in self.positions])


class CorruptSegment(BankError):
    """A file of the bank does not hold what was written to it.

    Attributes
    ----------
    path
        The damaged file.
    """

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class CommitError(BankError):
    """New rows could not be written (a full disk, say); what was there before is intact."""


class BankLost(CommitError):
    """The bank was removed, moved or replaced under a writer; all its rows are in another bank.

    Attributes
    ----------
    rescued
        That bank's folder.
    """

    exit_code = 1

    def __init__(self, bank: Path, rescued: Path) -> None:
        super().__init__(
            f"{bank} was removed, moved or replaced while texts were added to it: what it had not "
            f"taken in is safe in {rescued}; add that to the bank, wherever it is now, with "
            f"`layerbank merge {shlex.quote(str(rescued))} --into BANK`"
        )
        self.rescued = rescued


class EncoderError(LayerbankError):
    """An encoder cannot be found, read or used."""


class RunError(LayerbankError):
    """A run folder is missing, damaged, or already there."""
