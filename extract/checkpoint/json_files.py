"""The JSON files of a checkpoint, which may be damaged, or not be there but in name."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from features.disk.system import read_file
from features.errors import EncoderError

#: How a file begins that stands for another, which Git has not fetched.
POINTER = b"version https://git-lfs"


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object; None when there is no such file."""
    content = read_any_json(path)
    if content is not None and not isinstance(content, dict):
        raise EncoderError(f"{path} holds no JSON object: fetch or save the checkpoint again")
    return content


def read_any_json(path: Path) -> Any:
    """Whatever a JSON file holds; None when there is no such file.

    Raises
    ------
    EncoderError
        When it is damaged, or a pointer of Git LFS.
    """
    try:
        data = read_file(path)
        if data.startswith(POINTER):
            _refuse(path)
        return json.loads(data.decode(), parse_float=_finite, parse_constant=_finite)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise EncoderError(
            f"{path} cannot be read as JSON ({error}): fetch or save the checkpoint again"
        ) from None


def refuse_pointer(path: Path) -> None:
    """EncoderError for a file that only names another, as a clone without Git LFS leaves it."""
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            _refuse(path)


def _refuse(path: Path) -> None:
    raise EncoderError(
        f"{path} is a pointer of Git LFS and not the file itself: run `git lfs pull` in "
        f"{path.parent}"
    )


def _finite(number: str) -> float:
    """A number in a file; ValueError for one that is none, or too large to be one."""
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number[:20]} is no finite number")
    return value
