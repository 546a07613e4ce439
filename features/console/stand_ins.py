"""Characters that a stream cannot show, and readable ones that stand in for them.

A terminal or a file in GBK, cp1252 or ASCII lacks some of what is printed, be it a ± of ours or a
name of the user's. No character is worth losing a result for.
"""

from __future__ import annotations

import codecs
import contextlib
import re
import sys
import unicodedata

#: The name under which `str.encode` finds `_replace`.
HANDLER = "layerbank.stand_in"

#: What no decomposition gives.
_STAND_INS = {
    "±": "+-", "×": "x", "·": ".", "•": "*", "★": "*", "→": "->", "←": "<-", "≤": "<=", "≥": ">=",
    "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L",
    "▒": "=", "░": ".", "─": "-", "━": "-", "│": "|", "┃": "|",
}  # fmt: skip


def stand_in(character: str) -> str:
    """What is shown in ASCII for a character; ``?`` where nothing is like it.

    >>> "".join(map(stand_in, "± 0.1… é █ ␛ 中"))
    '+- 0.1... e # ^[ ?'
    """
    code = ord(character)
    if code < 128:
        return character
    if character in _STAND_INS:
        return _STAND_INS[character]
    if 0x2400 <= code < 0x2420:  # signs of control characters
        return "\\n" if code == 0x240A else f"^{chr(code - 0x2400 + 64)}"
    if 0x2500 <= code < 0x2580:  # lines and corners of boxes
        return "+"
    if 0x2580 <= code < 0x25A0:  # blocks of bars
        return "#"
    if 0xDC80 <= code < 0xDD00:  # a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or ("" if unicodedata.combining(character) else "?")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(stand_in, error.object[error.start : error.end])), error.end


codecs.register_error(HANDLER, _replace)


def spare_streams() -> None:
    """From now on, stdout and stderr show stand-ins for what they cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A stream that is closed, or whose file has become a pipe, is as good as it can be.
            with contextlib.suppress(OSError, ValueError):
                stream.reconfigure(errors=HANDLER)


def showable(text: str) -> str:
    """A text as stdout can show it, for objects that are printed in Python."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding, HANDLER).decode(encoding)
    except LookupError:  # a stream with an encoding of its own making
        return text


def showable_json(json: str) -> str:
    """JSON as stdout can show it, with the same meaning: a stand-in would be another value.

    >>> import json
    >>> json.loads(_ESCAPABLE.sub(_escaped, '"é 🎉"'))
    'é 🎉'
    """
    try:
        json.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return _ESCAPABLE.sub(_escaped, json)
    return json


#: In JSON, these stand in strings alone.
_ESCAPABLE = re.compile(r"[^\x00-\x7f]+")


def _escaped(found: re.Match[str]) -> str:
    data = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[i]:02x}{data[i + 1]:02x}" for i in range(0, len(data), 2))
