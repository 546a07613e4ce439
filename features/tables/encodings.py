"""Which encoding a file shows by itself: by a byte-order mark, or as Excel's CSV in Western Europe.

Bytes that are no UTF-8 could be in any of many encodings. One kind of file shows enough: rows that
end as Windows ends them, cells between semicolons, and nothing in it but letters and signs of the
languages that cp1252 is made for. It is said so, always, and anything else has to be named.
"""

from __future__ import annotations

import codecs
import re

#: What a file begins with whose encoding it tells by itself.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip

#: Bytes that are looked at.
BEGINNING = 1 << 22

#: Letters of Western European languages, without those that only stand for others of
#: cp1250, cp1251 or cp1254 where these are read as cp1252: š, ž, ý, ð, þ and such.
_LETTERS = "äöüÄÖÜßàâçéèêëîïôùûœæÀÂÇÉÈÊËÎÏÔÙÛŒÆáíóúñÁÍÓÚÑìòÌÒãõÃÕåÅøØ"
_SIGNS = "€‚„…‘’“”•–—«»°§©®™²·¡¿£\xa0"
_WESTERN = frozenset(_LETTERS + _SIGNS)

#: Languages that have the first do not have the second; Hungarian in cp1250 shows both.
_NEVER_BOTH = (frozenset("ãõÃÕ"), frozenset("öüÖÜ"))

#: Letters of another script come in whole words, and signs do not stand inside one.
_STRANGE = re.compile(rf"[{_LETTERS}]{{3}}|[A-Za-z][€‚„…•«»°§©®²·¡¿£][A-Za-z]")


def shown_encoding(head: bytes) -> str:
    """What decodes a file that should be UTF-8, by its first `BEGINNING` bytes.

    >>> shown_encoding("é".encode("utf-16")), shown_encoding(b"plain")
    ('utf-16', 'utf-8-sig')
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    # Spreadsheets put a mark in front of UTF-8, too; it is no part of the first name.
    return "cp1252" if not _is_utf8(head) and _is_western(head) else "utf-8-sig"


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut off
    except UnicodeDecodeError:
        return False
    return True


def _is_western(head: bytes) -> bool:
    first, end, _ = head.partition(b"\r\n")
    if not end or b";" not in first:
        return False
    try:
        text = head.decode("cp1252")
    except UnicodeDecodeError:
        return False
    found = {character for character in text if character > "\x7f"}
    return (
        found <= _WESTERN
        and not all(found & letters for letters in _NEVER_BOTH)
        and _STRANGE.search(text) is None
    )
