"""Parquet, Feather and Arrow files, and the folders in which Hugging Face data sets are saved."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from features.console.show import printable
from features.errors import InputError
from features.names import is_plain_name
from features.tables.content import one_line
from features.tables.reader import Row

#: Rows that are made Python's at once.
_ROWS = 4096

#: What a folder of ``datasets`` says of itself, and of its parts.
STATE, SPLITS = "state.json", "dataset_dict.json"

#: Bytes of these files at the most.
_LARGEST = 1 << 24

#: How a stream of Arrow's ends: four bytes that it goes on with, and nothing that follows.
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


class _Batches:
    """Rows that come in Arrow's batches."""

    #: What an error calls the file.
    kind: str
    columns: list[str]

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def all_columns(self) -> list[str]:
        return self.columns

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        """Record batches that have these columns, from the first."""
        raise NotImplementedError

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """A clear error where the file cannot be read, or holds what Python has no value for."""
        from pyarrow import ArrowException

        try:
            yield
        except (ArrowException, OSError, OverflowError, ValueError) as error:
            raise InputError(
                f"{self.name} is no {self.kind} that can be read ({one_line(error)}): write it anew"
            ) from None

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        number = 0
        wanted = list(dict.fromkeys(columns))
        with self._reading():
            for batch in self._batches(wanted):
                cells = [self._cells(batch, name) for name in columns]
                for row in zip(*cells, strict=True):
                    number += 1
                    yield number, row

    def _cells(self, batch: Any, name: str) -> list[object]:
        try:
            cells: list[object] = batch.column(name).to_pylist()
        except UnicodeDecodeError:  # Arrow does not look into strings when it reads them
            raise InputError(
                f"{self.name} has a string that is not UTF-8 in column {name!r}: write it anew as "
                "UTF-8"
            ) from None
        return cells


class ParquetReader(_Batches):
    """A Parquet file, a batch of rows at a time."""

    kind = "Parquet file"

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path, name)
        from pyarrow.parquet import ParquetFile

        with self._reading():
            self._file = ParquetFile(path)
            self.columns = list(self._file.schema_arrow.names)

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        yield from self._file.iter_batches(batch_size=_ROWS, columns=columns)


class ArrowReader(_Batches):
    """An Arrow file or stream, or several of one schema after each other.

    Every batch is checked whole before a value of it is taken: offsets into buffers are believed
    by what reads them.
    """

    kind = "Arrow file"

    def __init__(self, paths: Sequence[Path], name: str) -> None:
        super().__init__(paths[0], name)
        self._paths = list(paths)
        for path in paths:
            with self._reading(), self._opened(path) as batches:
                columns = list(batches.schema.names)
            if path != paths[0] and columns != self.columns:
                raise InputError(
                    f"{name} has other columns in {path.name} than in {paths[0].name}: save it anew"
                )
            self.columns = columns

    @contextlib.contextmanager
    def _opened(self, path: Path) -> Iterator[Any]:
        from pyarrow import OSFile, ipc

        with OSFile(str(path)) as file:
            start = file.read(6)
            if start[:4] == b"FEA1":
                raise InputError(f"{self.name} is of Feather's first version: write it anew")
            file.seek(0)
            if start == b"ARROW1":
                yield ipc.open_file(file)
                return
            _refuse_cut_off(path, self.name)
            yield ipc.open_stream(file)

    def _batches(self, columns: list[str]) -> Iterator[Any]:
        for path in self._paths:
            with self._opened(path) as batches:
                n_batches = getattr(batches, "num_record_batches", None)
                found = (
                    batches
                    if n_batches is None
                    else (batches.get_batch(i) for i in range(n_batches))
                )
                for batch in found:
                    batch.validate(full=True)
                    for start in range(0, batch.num_rows, _ROWS):
                        yield batch.slice(start, _ROWS)


def _refuse_cut_off(path: Path, name: str) -> None:
    """A stream that lost its end at the end of a batch reads like a shorter one."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - len(_END)))
        if file.read() != _END:
            raise InputError(
                f"{name} does not end as an Arrow stream does{_of(path, name)}: copy or write it "
                "anew"
            )


def _of(path: Path, name: str) -> str:
    return "" if name == str(path) else f" in {path.name}"


def is_dataset(folder: Path) -> bool:
    """Whether a folder is one that ``datasets`` saved."""
    return (folder / STATE).is_file() or (folder / SPLITS).is_file()


def dataset_reader(folder: Path, name: str) -> ArrowReader:
    """The reader of a folder that ``Dataset.save_to_disk`` made.

    Raises
    ------
    InputError
        It holds several splits, is damaged, or names files outside it.
    """
    if not (folder / STATE).is_file():
        splits = _json(folder / SPLITS, name).get("splits")
        known = [str(split) for split in splits] if isinstance(splits, list) else []
        listed = ", ".join(printable(split[:60]) for split in known[:20])
        first = known[0] if known and is_plain_name(known[0]) else "train"
        raise InputError(
            f"{name} holds several tables ({listed}): give one, such as {folder / first}"
        )
    state = _json(folder / STATE, name)
    files = state.get("_data_files")
    if not isinstance(files, list) or not files:
        raise InputError(f"{folder / STATE} names no files: save the data set anew")
    if state.get("_indices_files") or state.get("_indices_data_files"):
        raise InputError(f"{name} keeps some of its rows only: save it anew with flatten_indices()")
    return ArrowReader([_part(folder, entry) for entry in files], name)


def _part(folder: Path, entry: object) -> Path:
    """A file that the folder names, in the folder itself."""
    given = entry.get("filename") if isinstance(entry, dict) else None
    if not isinstance(given, str) or not is_plain_name(given):
        raise InputError(
            f"{folder / STATE} names {printable(repr(given)[:80])}, which is no file of the "
            "folder: save the data set anew"
        )
    path = folder / given
    if path.is_symlink() and path.resolve().parent != folder.resolve():
        raise InputError(f"{path} leads out of its folder: save the data set anew")
    if not path.is_file():
        raise InputError(f"{path} is not there: copy the data set anew")
    return path


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LARGEST).decode())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} cannot be read ({one_line(error)}): save the data set {name} anew"
        ) from None
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no object: save the data set {name} anew")
    return found
