"""How a file is to be read: what the user says of it where it does not say so itself."""

from __future__ import annotations

import io
from dataclasses import dataclass

from features.errors import InputError

#: What a delimiter may be called.
DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}

#: Ways in which cells are quoted: by ``"`` with ``""`` inside, by ``'`` with ``''``, by ``"`` with
#: ``\"`` inside, or not at all.
QUOTINGS = ("double", "single", "backslash", "none")

#: What stands between whole numbers and fractions.
DECIMALS = ("point", "comma")

#: Ways to say that the file is to show it.
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read one file.

    Parameters
    ----------
    format
        ``csv``, ``jsonl`` and so on, where the ending does not say it.
    encoding
        Of the text formats.
    delimiter
        Of csv and tsv: a name of `DELIMITERS` or one character; None to see what the file has.
    quoting
        Of csv and tsv: one of `QUOTINGS`; None to see what the file has.
    decimal
        ``point`` or ``comma``; None to see what each column of numbers has.
    no_header
        Whether the first row of csv, tsv and xlsx is data; columns are then c1, c2 and so on.

    Raises
    ------
    InputError
        One of them is nothing of the kind.
    """

    format: str | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    quoting: str | None = None
    decimal: str | None = None
    no_header: bool = False

    def __post_init__(self) -> None:
        try:  # encodings of no text, such as hex and base64, are refused as well
            io.TextIOWrapper(io.BytesIO(), self.encoding)
        except (LookupError, ValueError):
            raise InputError(
                f"unknown --encoding {self.encoding!r}: utf-8 and cp1252 are two"
            ) from None
        for option, value, known in (
            ("--quoting", self.quoting, QUOTINGS),
            ("--decimal", self.decimal, DECIMALS),
        ):
            if value not in (None, AUTO, *known):
                raise InputError(f"unknown {option} {value!r}: it is {AUTO}, {_either(known)}")
        _ = self.separator

    @property
    def separator(self) -> str | None:
        """The delimiter's character, None to see what the file has."""
        given = self.delimiter
        if given is None or given == AUTO:
            return None
        character = DELIMITERS.get(given, "\t" if given == r"\t" else given)
        if len(character) != 1 or character.isalnum() or character in "\"'\\\r\n\0. ":
            names = ", ".join(DELIMITERS)
            raise InputError(
                f"unknown --delimiter {given!r}: it is {AUTO}, {names} or one character"
            )
        return character

    @property
    def quotes(self) -> str | None:
        """The quoting that was given, None to see what the file has."""
        return None if self.quoting == AUTO else self.quoting

    @property
    def decimal_sign(self) -> str | None:
        """The decimal that was given, None to see what a column has."""
        return None if self.decimal == AUTO else self.decimal

    def words(self) -> list[str]:
        """The options as a command line has them; none for what is as ever."""
        words: list[str] = []
        for name in ("format", "encoding", "delimiter", "quoting", "decimal"):
            value = getattr(self, name)
            if value is not None and (name, value) != ("encoding", "utf-8"):
                words += [f"--{name}", value]
        return [*words, "--no-header"] if self.no_header else words


def delimiter_name(character: str) -> str:
    """What messages call a delimiter.

    >>> delimiter_name(";"), delimiter_name("^")
    ('semicolon', "'^'")
    """
    return next((name for name, own in DELIMITERS.items() if own == character), repr(character))


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
