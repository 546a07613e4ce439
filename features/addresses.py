"""Addresses such as ``s3://bucket/x``, which are no paths here."""

from __future__ import annotations

import re
from pathlib import Path

from features.errors import InputError

#: A path has lost one of the slashes. A single letter is a drive.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


def refuse_address(path: str | Path, what: str, advice: str) -> None:
    """InputError for an address: a path of that name would be a folder ``s3:`` of this one.

    Parameters
    ----------
    path
        As it was given, or made absolute since.
    what
        What it should be, such as ``"a bank"``.
    advice
        What to do instead.
    """
    relative = str(path)
    if Path(path).is_absolute() and Path(path).is_relative_to(Path.cwd()):
        relative = str(Path(path).relative_to(Path.cwd()))
    if _SCHEME.match(relative):
        shown = re.sub(r"^([^/]+:)/+", r"\1//", relative)
        raise InputError(f"{shown} is an address, and {what} is on this machine: {advice}")
