"""What a text is, and lists and streams of texts as people have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from features.columns import as_list, entries, is_missing
from features.errors import InputError

#: One string, or several that are encoded together (a prompt and an essay). Verbatim.
Text = str | tuple[str, ...]

#: Texts as `as_texts` takes them: its types cannot be told without the libraries that they are of.
TextsLike = Iterable[Any]


def as_texts(given: TextsLike, *, missing: str | None = None) -> list[Text]:
    """Texts in memory, in their order.

    Parameters
    ----------
    given
        Strings, or tuples or lists of strings that are encoded together: in a list or any other
        sequence, a generator, an array of one dimension or of a column for each part, a series or
        frame of one column of pandas or polars, an Arrow array, or a column of a data set.
    missing
        What a text, or a part of one, counts as that is missing (None, NaN); None to refuse it.

    Raises
    ------
    InputError
        It is one text, a set, a mapping, rows with names, or holds what is no text; the message
        says which, from 1, and what to give.
    """
    return [
        text if type(text) is str else as_text(text, number, missing=missing)
        for number, text in enumerate(as_list(given, "texts"), 1)
    ]


def text_stream(given: TextsLike) -> Iterator[Text]:
    """As `as_texts`, text by text, where their order does not count: a set is taken.

    Raises
    ------
    InputError
        At once for what holds no texts, and at the first that is none.
    """
    return _checked(entries(given, "texts", ordered=False))


def _checked(found: Iterable[Any]) -> Iterator[Text]:
    for number, text in enumerate(found, 1):
        yield text if type(text) is str else as_text(text, number)


def as_text(entry: Any, number: int, *, missing: str | None = None) -> Text:
    """An entry as the text that it is; InputError, which names its number, for what is none."""
    if isinstance(entry, str):
        return str.__str__(entry)  # of NumPy's strings and of enumerations, what they hold
    for name in ("as_py", "tolist"):  # a scalar of Arrow's, or an array
        if hasattr(type(entry), name):
            entry = getattr(entry, name)()
    if missing is not None and is_missing(entry):
        return missing
    if isinstance(entry, str):
        return entry
    parts = entry if isinstance(entry, (tuple, list)) else (entry,)
    if missing is not None:
        parts = [missing if is_missing(part) else part for part in parts]
    for part in parts:
        if not isinstance(part, str):
            raise InputError(_no_string(part, number, alone=not isinstance(entry, (tuple, list))))
    if not parts:
        raise InputError(f"text {number} has no parts: leave it out, or give a string")
    return tuple(str.__str__(part) for part in parts)


def _no_string(entry: Any, number: int, *, alone: bool) -> str:
    kind, shown = type(entry).__name__, " ".join(repr(entry).split())[:40]
    what = f"text {number} {'is' if alone else 'has a part that is'} no string but {kind}"
    if isinstance(entry, (bytes, bytearray)):
        return f"{what}: decode it first, such as text.decode('utf-8')"
    if is_missing(entry):
        return f"{what} ({shown}), so it is missing: fill it in, or leave the row out"
    if isinstance(entry, dict):
        columns = ", ".join(f"{name!r:.40}" for name in list(entry)[:5])
        return (
            f"{what}, a row with the names {columns}: give the column of the texts, such as "
            '[row["text"] for row in rows]'
        )
    return (
        f"{what} ({shown}): each has to be a string, or a tuple of strings that are encoded "
        "together"
    )
