"""Names that become part of a path."""

from __future__ import annotations

import re
from pathlib import PurePath

#: The encoder of a bank that is made where none is named, and so that bank's name.
DEFAULT_ENCODER = "roberta-base"

#: Bytes of a name at the most, as file systems take it.
LONGEST = 255

_SEPARATOR_OR_CONTROL = re.compile(r"[/\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_plain_name(name: str) -> bool:
    """Whether a name stands for something in one folder, wherever that is.

    >>> is_plain_name("roberta-base"), is_plain_name(".."), is_plain_name("a/b")
    (True, False, False)
    """
    return (
        name.strip(". ") != ""
        and PurePath(name).name == name
        and _SEPARATOR_OR_CONTROL.search(name) is None
        and len(name.encode()) <= LONGEST
    )
