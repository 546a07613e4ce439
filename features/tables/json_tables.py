"""JSON: one object a line, or one array of objects, or the columns as pandas writes them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, Any

from features.errors import InputError
from features.tables.content import Content
from features.tables.reader import Row

log = logging.getLogger(__name__)

#: Records that show the columns; all are asked only for a column that none of these has.
FIRST = 1000

#: Characters of one object of an array at the most, and of a file that is no array of objects.
LARGEST = 1 << 28

#: Characters that are read at once.
_PIECE = 1 << 20

_SPACE = " \t\n\r"

Record = Mapping[str, object]


class _Records:
    """Objects with values by name; a name that is absent is a missing cell."""

    columns: list[str]

    def __init__(self, content: Content, encoding: str) -> None:
        self.content, self.encoding = content, encoding
        self.columns = list(_names(islice(self.records(), FIRST)))

    def records(self) -> Iterator[Record]:
        """All objects, from the first."""
        raise NotImplementedError

    def all_columns(self) -> list[str]:
        """The names in all records, in the order in which they come."""
        self.columns = list(_names(self.records()))
        return self.columns

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        for number, record in enumerate(self.records(), 1):
            yield number, tuple(record.get(name) for name in columns)


def _names(records: Iterable[Record]) -> dict[str, None]:
    found: dict[str, None] = {}
    for record in records:
        if not record.keys() <= found.keys():
            found.update(dict.fromkeys(record))
    return found


class JsonLinesReader(_Records):
    """One JSON object a line."""

    def __init__(self, content: Content, encoding: str) -> None:
        super().__init__(content, encoding)
        if not self.columns and next(self.records(), None) is None:
            raise InputError(f"{content.name} is empty: it needs one JSON object a line")

    def records(self) -> Iterator[Record]:
        name = self.content.name
        with self.content.text(self.encoding, newline="\n") as file:
            for line_number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                yield _object(line, name, f"in line {line_number}", "each line must be one object")


def _object(text: str, name: str, where: str, advice: str) -> Record:
    try:
        value = json.loads(text, object_pairs_hook=_no_name_twice)
    except _Twice as error:
        raise InputError(f"{name} has the name {str(error)!r} twice {where}: rename one") from None
    except ValueError as error:
        raise InputError(f"{name} holds no JSON {where} ({error}): {advice}") from None
    except RecursionError:
        raise InputError(
            f"{name} holds brackets within brackets too deep to be read {where}: {advice}"
        ) from None
    if not isinstance(value, dict):
        raise InputError(
            f'{name} holds no object {where}: {advice}, such as {{"text": "…", "target": 1.5}}'
        )
    return value


class _Twice(Exception):
    """A name that an object has two values for, of which Python would keep the last."""


def _no_name_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


class JsonArrayReader(_Records):
    """An array of objects, read one after the other."""

    def __init__(self, content: Content, encoding: str) -> None:
        super().__init__(content, encoding)
        if not self.columns and next(self.records(), None) is None:
            raise InputError(f"{content.name} is empty: it needs an array of objects")

    def records(self) -> Iterator[Record]:
        with self.content.text(self.encoding, newline="") as file:
            yield from _elements(file, self.content.name)


def _elements(file: IO[str], name: str) -> Iterator[Record]:
    """The objects of an array, in memory for one of them."""
    decoder = _decoder()
    buffer = _Buffer(file)
    number = 0
    if buffer.next() != "[":
        raise InputError(f"{name} holds no array: it must be one of objects")
    buffer.skip()
    if buffer.next() == "]":
        buffer.skip()
    else:
        while True:
            number += 1
            where = f"in object {number}"
            if buffer.next() != "{":
                raise InputError(
                    f"{name} holds no object {where} of its array: write it as one of objects, "
                    'such as [{"text": "…", "target": 1.5}]'
                )
            yield buffer.decoded(decoder, name, where)
            sign = buffer.next()
            buffer.skip()
            if sign == "]":
                break
            if sign != ",":
                raise InputError(
                    f"{name} has no comma after object {number}, or ends there: write it anew"
                )
    if buffer.next():
        raise InputError(f"{name} holds more than its array: write it anew as one array")


class _Buffer:
    """Text that is looked at from its beginning, with as much in memory as is needed."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._text, self._at = "", 0
        self._piece = _PIECE

    def _more(self, size: int) -> bool:
        came = self._file.read(size)
        self._text, self._at = self._text[self._at :] + came, 0
        return bool(came)

    def next(self) -> str:
        """The next character that is no space; nothing at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more(_PIECE):
                return ""

    def skip(self) -> None:
        """Leave that character behind."""
        self._at += 1

    def decoded(self, decoder: json.JSONDecoder, name: str, where: str) -> Record:
        """The object that begins here, which is left behind."""
        size = _PIECE
        while True:
            try:
                value, self._at = decoder.raw_decode(self._text, self._at)
                return value  # type: ignore[no-any-return]
            except _Twice:
                break
            except (ValueError, RecursionError):
                # It may only not be whole yet.
                if len(self._text) - self._at > LARGEST:
                    raise InputError(
                        f"{name} has more than {LARGEST >> 20} MiB {where}: write it anew"
                    ) from None
                if not self._more(size):
                    break
                size *= 2
        return _object(self._text[self._at :], name, where, "write it anew as an array of objects")


class JsonColumnsReader(_Records):
    """One object with a table, in one of the ways in which pandas writes it; in memory."""

    def __init__(self, content: Content, encoding: str, rows: Sequence[Record]) -> None:
        self._rows = rows
        super().__init__(content, encoding)

    def records(self) -> Iterator[Record]:
        return iter(self._rows)


def json_reader(content: Content, encoding: str) -> _Records:
    """The reader of a ``.json`` file, by how it begins; says so where that is with no array."""
    with content.text(encoding, newline="") as file:
        buffer = _Buffer(file)
        first = buffer.next()
        if first != "{":
            value, more = None, ""
        else:
            value = buffer.decoded(_decoder(), content.name, "in its first object")
            more = buffer.next()
    if not first:
        raise InputError(f"{content.name} is empty: it needs an array of objects")
    if value is None:
        return JsonArrayReader(content, encoding)
    rows = None if more else tabular(value)
    if rows is not None:
        log.info("%s: read as the columns of one table, as pandas writes them", content.name)
        return JsonColumnsReader(content, encoding, rows)
    log.info("%s: read as one JSON object a line", content.name)
    return JsonLinesReader(content, encoding)


def tabular(value: Mapping[str, Any]) -> list[Record] | None:
    """The rows of an object that holds a table; None for another.

    Lists by column's name, or what pandas writes as ``split``, ``table``, ``columns`` or ``index``.

    >>> tabular({"columns": ["a"], "index": [0, 1], "data": [[5], [6]]})
    [{'a': 5}, {'a': 6}]
    >>> tabular({"a": {"0": 5, "1": 6}}) == tabular({"0": {"a": 5}, "1": {"a": 6}})
    True
    """
    data, columns = value.get("data"), list(value.values())
    if {"columns", "data"} <= value.keys() <= {"columns", "index", "data"}:
        return _split(value["columns"], data)
    if {"schema", "data"} == value.keys():
        return data if _all(data, dict) else None
    if _all(columns, list) and len({len(column) for column in columns}) == 1:
        return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]
    if not _all(columns, dict) or any(column.keys() != columns[0].keys() for column in columns):
        return None
    outer, inner = (all(map(str.isdecimal, names)) for names in (value, columns[0]))
    if outer == inner:  # which are the rows?
        return None
    if outer:
        return columns
    return [{name: value[name][row] for name in value} for row in columns[0]]


def _split(names: Any, data: Any) -> list[Record] | None:
    if not isinstance(names, list) or not _all(data, list):
        return None
    if len({str(name) for name in names}) < len(names):
        return None
    if any(len(row) != len(names) for row in data):
        return None
    return [dict(zip(map(str, names), row, strict=True)) for row in data]


def _all(values: Any, kind: type) -> bool:
    return (
        isinstance(values, list) and bool(values) and all(isinstance(own, kind) for own in values)
    )


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_no_name_twice)
