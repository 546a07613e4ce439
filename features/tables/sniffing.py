"""What a delimited file is written in, as its beginning shows it; and what is said of that.

The beginning is bounded, so that files may be larger than memory. What comes later and does not
fit is refused where it is read, with its line.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from features.errors import InputError
from features.tables.content import Content
from features.tables.dialect import Dialect, default_quoting, is_quoted, plainly_quoted, well_formed
from features.tables.reading import DELIMITERS, Reading, delimiter_name

log = logging.getLogger(__name__)

#: Characters of a file that are looked at.
BEGINNING = 1 << 22

#: A first line with which spreadsheets say what delimiter follows.
_SAYS = re.compile(r'"?sep=(.)"?[,;\t]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)

#: What is said of a quoting that is not the ordinary one of its delimiter.
_TOLD = {
    "double": "cells are in double quotes",
    "single": "cells are in single quotes",
    "backslash": "backslashes escape quotes and delimiters",
    "none": "quotes are text",
}


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Lines of a file's beginning, from the first row on."""

    lines: Sequence[str]
    text: str
    whole: bool

    def rows(self, delimiter: str, quoting: str) -> list[list[str]] | None:
        """The rows as this dialect has them; None unless all have one width.

        The last row of what is only a beginning is left out, since it may be cut off.
        """
        reader = Dialect(delimiter, quoting).reader(self.lines)
        found: list[list[str]] = []
        line = 0
        try:
            for row in reader:
                line = reader.line_num
                if not row and found and len(found[0]) > 1:
                    continue  # a blank line
                row = row or [""]
                if found and len(row) != len(found[0]):
                    return None
                found.append(row)
        except csv.Error:
            ends = reader.line_num >= len(self.lines) and line > len(self.lines) * 3 // 4
            if self.whole or not ends:
                return None
        return found


def sniff(content: Content, reading: Reading, ordinary: str) -> Dialect:
    """The dialect of a file; says what it is where that is not the ordinary one.

    Parameters
    ----------
    content
        The file.
    reading
        What the user says of it.
    ordinary
        The delimiter that the file's name promises.

    Raises
    ------
    InputError
        Two delimiters fit it, or its first line contradicts ``--delimiter``.
    """
    with content.text(reading.encoding, newline="") as file:
        text = file.read(BEGINNING)
        whole = not file.read(1)
    says = _SAYS.match(text)
    text = text[says.end() :] if says else text
    lines = list(io.StringIO(text, newline=""))
    if not whole and len(lines) > 1:
        lines.pop()
        text = "".join(lines)
    beginning = _Beginning(lines, text, whole)
    separator = reading.separator
    if says and separator not in (None, says[1]):
        raise InputError(
            f"{content.name} says sep={says[1]} in its first line, and --delimiter something else: "
            "leave --delimiter out, or mend the line"
        )
    separator = separator or (says[1] if says else None)
    if separator is not None:
        dialect = _with_delimiter(beginning, separator, reading)
    else:
        dialect = _with_any(beginning, ordinary, reading, content.name)
    dialect = dialect or _fallback(separator or ordinary, reading)
    dialect = replace(dialect, n_before=int(bool(says)))
    _say(content, reading, dialect, ordinary, beginning)
    return dialect


def _fallback(delimiter: str, reading: Reading) -> Dialect:
    """Where nothing fits: the row at fault is told when it is read."""
    quoting = reading.quotes or default_quoting(delimiter)
    return Dialect(delimiter, quoting, given=reading.quotes is not None, settled=True)


def _with_any(beginning: _Beginning, ordinary: str, reading: Reading, name: str) -> Dialect | None:
    """The ordinary delimiter, where it parts the cells; or else the only one that does."""
    header = beginning.lines[0] if beginning.lines else ""
    fitting = {}
    for delimiter in (ordinary, *(own for own in DELIMITERS.values() if own != ordinary)):
        if delimiter in header and (found := _with_delimiter(beginning, delimiter, reading)):
            fitting[delimiter] = found
    if ordinary in fitting:
        if len(fitting) > 1:
            others = " and ".join(delimiter_name(own) for own in fitting if own != ordinary)
            log.warning(
                "%s: %s-separated, though %s would fit as well: say which with --delimiter",
                name, delimiter_name(ordinary), others,
            )  # fmt: skip
        return fitting[ordinary]
    if len(fitting) > 1:
        names = " and ".join(delimiter_name(own) for own in fitting)
        raise InputError(f"{name} could be separated by {names}: say which with --delimiter")
    return next(iter(fitting.values()), None) or _with_delimiter(beginning, ordinary, reading)


def _with_delimiter(beginning: _Beginning, delimiter: str, reading: Reading) -> Dialect | None:
    """The dialect with this delimiter in which all rows have one width; None for none."""
    if reading.quotes is not None:
        fits = beginning.rows(delimiter, reading.quotes) is not None
        return Dialect(delimiter, reading.quotes, given=True, settled=True) if fits else None
    choose = _in_plain if default_quoting(delimiter) == "none" else _in_quoted
    quoting = choose(beginning, delimiter)
    if quoting is None:
        return None
    return Dialect(delimiter, quoting, settled='"' in beginning.text)


def _in_quoted(beginning: _Beginning, delimiter: str) -> str | None:
    """The quoting of a file whose cells stand in double quotes, unless it shows another."""
    if beginning.rows(delimiter, "double") is not None:
        if _single(beginning, delimiter):
            return "single"
        return "backslash" if _backslashed(beginning, delimiter) else "double"
    if _escaped(beginning, delimiter):
        return "backslash"
    if _only_single(beginning, delimiter):
        return "single"
    raw = beginning.rows(delimiter, "none") if '"' in beginning.text else None
    # A cell in quotes beside one that is not properly so: a slip, or a file that was cut off.
    if raw is None or any(is_quoted(cell, "double") for row in raw for cell in row):
        return None
    return "none"


def _in_plain(beginning: _Beginning, delimiter: str) -> str | None:
    """The quoting of a file whose quotes are text, unless it plainly shows another."""
    raw = beginning.rows(delimiter, "none")
    if raw is not None:
        for quoting in ("double", "single"):
            if plainly_quoted(raw, quoting) and beginning.rows(delimiter, quoting) is not None:
                return quoting
        return "backslash" if _backslashed(beginning, delimiter) else "none"
    quoted = well_formed(beginning.text, delimiter, "double", whole=beginning.whole)
    if quoted and beginning.rows(delimiter, "double") is not None:
        return "double"
    if _escaped(beginning, delimiter):
        return "backslash"
    return "single" if _only_single(beginning, delimiter) else None


def _backslashed(beginning: _Beginning, delimiter: str) -> bool:
    """Whether backslashes stand where they escape and nowhere else, though they could be text."""
    text, whole = beginning.text, beginning.whole
    return (
        '\\"' in text
        and not well_formed(text, delimiter, "double", whole=whole)
        and well_formed(text, delimiter, "backslash", whole=whole)
        and beginning.rows(delimiter, "backslash") is not None
    )


def _escaped(beginning: _Beginning, delimiter: str) -> bool:
    """Whether quotes or delimiters stand behind backslashes, and all rows have one width so."""
    signs = ('\\"', "\\" + delimiter, "\\\n", "\\\r")
    return any(sign in beginning.text for sign in signs) and (
        beginning.rows(delimiter, "backslash") is not None
    )


def _single(beginning: _Beginning, delimiter: str) -> bool:
    """Whether whole columns are in single quotes, which could be text all the same."""
    if "'" not in beginning.text:
        return False
    raw = beginning.rows(delimiter, "none")
    return (
        raw is not None
        and plainly_quoted(raw, "single")
        and beginning.rows(delimiter, "single") is not None
    )


def _only_single(beginning: _Beginning, delimiter: str) -> bool:
    """Whether single quotes make rows of one width, and no apostrophe stands outside of them."""
    if f"{delimiter}'" not in beginning.text and not beginning.text.startswith("'"):
        return False
    return (
        well_formed(beginning.text, delimiter, "single", whole=beginning.whole)
        and beginning.rows(delimiter, "single") is not None
    )


def _say(
    content: Content, reading: Reading, dialect: Dialect, ordinary: str, beginning: _Beginning
) -> None:
    told = []
    if dialect.delimiter != ordinary and reading.separator is None:
        told.append(f"{delimiter_name(dialect.delimiter)}-separated")
    starts = re.search(rf'(?:^|[\r\n{re.escape(dialect.delimiter)}])"', beginning.text)
    plain = default_quoting(dialect.delimiter)
    if not dialect.given and (dialect.quoting != plain or (plain == "none" and starts is not None)):
        told.append(_TOLD[dialect.quoting])
    if told:
        log.info("%s: %s", content.name, ", ".join(told))
