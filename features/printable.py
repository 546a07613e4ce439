"""Text from files as it may stand on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Text with what moves a cursor, or says nothing, written out: ``\\x1b`` as four characters."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
