"""Paths as people write them, ``~`` included, and what stands near one that leads nowhere."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from features.errors import InputError

#: A path in Python: a string or a `pathlib.Path`.
PathLike = str | os.PathLike[str]

#: Entries of a folder among which near names are looked for.
LOOKED_AT = 10_000


def as_path(given: PathLike) -> Path:
    """A path in which ``~`` and ``~user`` at the beginning are that user's home.

    Everything that takes a path from a user, in Python or on the command line, calls this: a
    shell leaves ``--bank=~/x`` and ``"~/x"`` as they are.

    >>> as_path("a/~b")
    PosixPath('a/~b')

    Raises
    ------
    InputError
        It is no path, or is of a user who has no home here.
    """
    path: object = os.fspath(given) if isinstance(given, (str, os.PathLike)) else given
    if not isinstance(path, str):
        raise InputError(f"{given!r:.60} is no path: give a string, or a pathlib.Path")
    if not path or "\0" in path:
        what = "an empty string" if not path else f"{path!r:.60}, with a zero byte in it,"
        raise InputError(f"{what} is no path: give the name of a file or folder")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise InputError(
            f"{path!r:.200} cannot be written in this environment's encoding of names: set "
            "PYTHONUTF8=1, or a locale such as LC_ALL=C.UTF-8"
        ) from None
    whole = os.path.expanduser(path)
    first = Path(path).parts[:1]
    if path[0] == "~" and whole == path and not os.path.lexists(first[0]):
        raise InputError(
            f"{path} begins with the home of a user that is not known here: give the whole path"
        )
    found = Path(whole)
    # What is called "~" (given as "./~", say) would be taken for a home when it comes here again.
    return found.absolute() if str(found).startswith("~") else found


def as_paths(given: PathLike | Iterable[PathLike]) -> list[Path]:
    """Several paths, or one that stands alone."""
    one = isinstance(given, (str, bytes, os.PathLike)) or not isinstance(given, Iterable)
    several: Any = [given] if one else given
    return [as_path(path) for path in several]


def near_path(path: Path, wanted: Callable[[Path], bool]) -> str:
    """``did you mean …?`` where a path like this one is what was wanted, and nothing otherwise.

    Parameters
    ----------
    path
        What leads nowhere; any of its names may be wrong.
    wanted
        Tells whether a path is such a thing.
    """
    try:
        found = _nearest(path, wanted)
    except (OSError, ValueError):  # a hint, which must not get in the way of the error
        return ""
    if found is None:
        return ""
    shown = found.name if found.parent == path.parent else str(found)
    return f"did you mean {shown!r}?"


def hint(path: Path, wanted: Callable[[Path], bool]) -> str:
    """As `near_path`, in brackets behind a blank, for the middle of a sentence."""
    near = near_path(path, wanted)
    return f" ({near})" if near else ""


def _nearest(path: Path, wanted: Callable[[Path], bool]) -> Path | None:
    there = path
    missing: list[str] = []
    while not there.is_dir() or not missing:
        missing.insert(0, there.name)
        if there.parent == there:
            return None
        there = there.parent
    with os.scandir(there) as entries:
        names = [entry.name for entry in islice(entries, LOOKED_AT)]
    first, *rest = missing
    for name in _close(first, names):
        found = there.joinpath(name, *rest)
        if wanted(found):
            return found
    return None


def _close(name: str, names: list[str]) -> list[str]:
    """Names like this one, the most alike first; one that differs in its ending alone is."""
    lower, stem = name.lower(), Path(name).stem.lower()
    same = [other for other in names if other != name and Path(other).stem.lower() == stem]
    alike = {other.lower(): other for other in names if other != name}
    close = [alike[other] for other in difflib.get_close_matches(lower, alike, 5)]
    return list(dict.fromkeys([*same, *close]))
