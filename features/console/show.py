"""How texts, names and sizes are shown: in messages, tables and charts."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.keys import Text

#: Characters of a text that hovering shows, and that the list of worst errors shows.
BEGINNING, WHOLE = 140, 5000


def printable(text: str) -> str:
    """Text with what moves a cursor, or says nothing, written out: ``\\x1b`` as four characters."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def harmless(text: str) -> str:
    """Text of several lines with signs in place of what would command a terminal, one for one.

    >>> harmless("a name\x1b[2J")
    'a name␛[2J'
    """
    return text.translate(_SIGNS)


#: Signs of the control characters but tab and line feed; reversed writing and such have none.
_SIGNS = {
    **{code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"},
    127: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD),
}


def one_line(name: str) -> str:
    """A name for a chart's title: its grammar takes no line separators, whatever their kind."""
    return " ".join(name.split())


def shown(text: Text) -> str:
    """A text as people read it; parts of one stand below each other."""
    return text if isinstance(text, str) else "\n\n".join(text)


def beginning(text: Text, width: int = BEGINNING) -> str:
    """The first characters of a text, with its white space made single."""
    whole = shown(text)
    short = " ".join(whole[: 4 * width].split())
    return short if len(short) <= width and len(whole) <= 4 * width else short[: width - 1] + "…"


def encoder_name(encoder: str) -> str:
    """What an encoder is called in a title: the end of a folder's path, or a hub's name.

    >>> encoder_name("FacebookAI/roberta-base"), encoder_name("/models/mpnet/")
    ('FacebookAI/roberta-base', 'mpnet')
    >>> encoder_name("/hub/models--FacebookAI--roberta-base/snapshots/0f1e2d")
    'FacebookAI/roberta-base'
    >>> encoder_name("/packages/minilm/model")
    'minilm'
    """
    parts = [part for part in re.split(r"[/\\\\]", encoder) if part]
    for part in parts:  # the hub's folder on this disk
        if part.startswith("models--"):
            return part.removeprefix("models--").replace("--", "/")
    if len(parts) == 2 and encoder[0] not in "/.\\":
        return encoder
    if len(parts) > 1 and parts[-1] in _NO_NAMES:
        return parts[-2]
    return parts[-1] if parts else encoder


#: Folders that say nothing of the encoder in them.
_NO_NAMES = frozenset({"model", "encoder", "weights", "best", "final"})


def human_bytes(size: float) -> str:
    """A size for people.

    >>> human_bytes(1536)
    '1.5 KiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def number_of(scale: float) -> Callable[[float], str]:
    """How errors of about this size are written, in ten characters or fewer.

    >>> number_of(0.55)(0.0021), number_of(27000.0)(31.25), number_of(3e-5)(3e-5)
    ('0.0021', '31.2', '3.00e-05')
    """
    form = ".4f" if 0.01 <= scale < 1000 or scale == 0 else ".1f" if 1000 <= scale < 1e6 else ".2e"
    return lambda value: format(value, form)


def draws_blocks() -> bool:
    """Whether stdout is a terminal that shows block characters."""
    return sys.stdout.isatty() and "utf" in (sys.stdout.encoding or "").lower()
