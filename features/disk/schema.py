"""What a JSON file must hold before anything is done with it: types, ranges, depth.

A file may come from a stranger, with hashes that are right. So what is read is held against a
shape first: an object is a dict of shapes (`EACH` stands for every name, and a name that ends in
`MAYBE` may be missing or null), a list is a list of one shape, `Whole` and `Matching` bound numbers
and strings, and anything else is a type, or a tuple of them. ``object`` is any value that can be
written and shown again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Stands in a shape for every name; ends one that may be missing or null.
EACH, MAYBE = "*", "?"

#: An object of anything.
OBJECT: Mapping[str, Any] = {EACH: object}

#: How far lists and objects may stand within one another.
DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Whole:
    """The shape of a whole number, both ends included."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Matching:
    """The shape of a string that a regular expression matches."""

    pattern: re.Pattern[str]


def parse_json(data: bytes) -> Any:
    """The value of a JSON text in UTF-8; ValueError also where it is NaN or too deep for Python."""
    try:
        return _decoder.decode(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("its lists and objects stand too deep within one another") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no number")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def refuse_other(value: Any, shape: Any, name: str) -> None:
    """ValueError with the name of the first part of a value that is not as ``shape`` says."""
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            raise ValueError(f"{name} is no object")
        for key, inner in shape.items():
            may_lack, known = key.endswith(MAYBE), key.removesuffix(MAYBE)
            for each in value if key == EACH else [known]:
                path = f"{name}.{each}".removeprefix(".")
                if may_lack and value.get(each) is None:
                    continue
                if each not in value:
                    raise ValueError(f"it lacks {path}")
                refuse_other(value[each], inner, path)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise ValueError(f"{name} is no list")
        for number, item in enumerate(value):
            refuse_other(item, shape[0], f"{name}[{number}]")
    elif isinstance(shape, Whole):
        if type(value) is not int or not shape.least <= value <= shape.most:
            raise ValueError(f"{name} is no whole number from {shape.least} to {shape.most}")
    elif isinstance(shape, Matching):
        if not isinstance(value, str) or not shape.pattern.fullmatch(value):
            raise ValueError(f"{name} is no such name as it can be")
    else:
        kinds = shape if isinstance(shape, tuple) else (shape,)
        # To Python True is a whole number.
        if not isinstance(value, kinds) or (
            isinstance(value, bool) and bool not in kinds and object not in kinds
        ):
            raise ValueError(f"{name} is {type(value).__name__}, which it cannot be")
        _refuse_unspeakable(value, name)


def _refuse_unspeakable(value: Any, name: str) -> None:
    """ValueError where a value is too deep, or holds what no file and no terminal takes."""
    level = [value]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += [*each, *each.values()]
            elif isinstance(each, list):
                inner += each
            elif isinstance(each, float) and not math.isfinite(each):
                raise ValueError(f"{name} holds a number that is not finite")
            elif isinstance(each, str) and not _is_unicode(each):
                raise ValueError(f"{name} holds half a surrogate pair")
        if not inner:
            return
        level = inner
    raise ValueError(f"the lists and objects of {name} stand too deep within one another")


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
