"""A selection for chosen texts as one plain file, streaming and all or nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from features.bank import Bank
from features.columns import as_list
from features.disk.atomic import replacing
from features.disk.image import Dataset, hdf5_image
from features.errors import InputError
from features.filling import Encode, fill
from features.paths import as_path
from features.texts import Text, TextsLike, as_texts

#: Bytes of the matrix that stand in memory at a time.
CHUNK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class _Export:
    """What is to be written."""

    bank: Bank
    texts: Sequence[Text]
    selection: str
    columns: list[str]
    ids: Sequence[str] | None

    def chunks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows and what the matrix holds there, some at a time."""
        step = max(1, CHUNK_BYTES // (4 * len(self.columns)))
        for start in range(0, max(1, len(self.texts)), step):  # no texts are one empty chunk
            rows = slice(start, start + step)
            yield rows, self.bank.matrix(self.texts[rows], self.selection)

    def tables(self, rows: slice, X: NDArray[np.float32]) -> Any:
        """A chunk as an Arrow table: the id, the tokens, and a column each."""
        import pyarrow as pa

        texts = self.texts[rows]
        named: dict[str, Any] = {} if self.ids is None else {"id": pa.array(list(self.ids[rows]))}
        named["n_tokens"] = pa.array(self.bank.n_tokens(texts))
        named["truncated"] = pa.array(self.bank.truncated(texts))
        named |= {name: pa.array(X[:, i]) for i, name in enumerate(self.columns)}
        return pa.table(named)


def export(
    bank: Bank,
    texts: TextsLike,
    selection: str,
    out: str | Path,
    *,
    ids: Iterable[object] | None = None,
    force: bool = False,
    encode: Encode | None = None,
) -> Path:
    """Write a selection as one plain file, rows in the order of ``texts``.

    The ending decides: ``.h5`` holds ``/X`` (n, d) float32, ``/columns`` (d,) with the columns'
    names, ``/n_tokens`` (n,), ``/truncated`` (n,) and, where ids are given, ``/id`` (n,);
    ``.npy`` holds the matrix alone; ``.parquet`` and ``.csv`` hold a column each, behind ``id``,
    ``n_tokens`` and ``truncated``. The columns of a block that is selected again have ``_2``,
    ``_3`` and so on behind their names. Memory does not grow with n, and the file appears under
    its name only when it is whole. `encode` encodes texts that the bank lacks; without one they
    are refused.

    Raises
    ------
    MissingTexts, SelectionError
        As :meth:`features.bank.Bank.matrix`.
    InputError
        When the file exists, or has another ending.
    CommitError
        When it could not be written.
    """
    out = as_path(out)
    writer = WRITERS.get(out.suffix.lower())
    if writer is None:
        raise InputError(f"{out} ends in none of {', '.join(WRITERS)}: name one of them in --out")
    if out.exists() and not force:
        raise InputError(
            f"{out} exists: give another --out, or --force to replace it (in Python force=True)"
        )
    texts = as_texts(texts)
    names = None if ids is None else [str(id) for id in as_list(ids, "ids")]
    if names is not None and len(names) != len(texts):
        raise InputError(
            f"there are {len(texts)} texts and {len(names)} ids: give one for each text"
        )
    bank.resolve(selection)
    fill(bank, texts, encode)  # all of them, before anything is written
    columns = _distinct(bank.column_names(selection))
    with replacing(out) as file:
        writer(_Export(bank, texts, str(selection), columns, names), file)
    return out


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, numbered from the second time on that one comes.

    >>> _distinct(["cls.0.0", "cls.0.1", "cls.0.0"])
    ['cls.0.0', 'cls.0.1', 'cls.0.0_2']
    """
    times: Counter[str] = Counter()
    found = []
    for name in names:
        times[name] += 1
        found.append(name if times[name] == 1 else f"{name}_{times[name]}")
    return found


def _write_hdf5(export: _Export, file: BinaryIO) -> None:
    bank, texts = export.bank, export.texts
    matrix = (memoryview(X.data).cast("B") for _, X in export.chunks())
    datasets = {
        "/X": Dataset((len(texts), len(export.columns)), np.dtype("<f4"), matrix),
        "/columns": _strings(export.columns),
        "/n_tokens": Dataset.of(bank.n_tokens(texts).astype("<i4")),
        "/truncated": Dataset.of(bank.truncated(texts).astype(np.uint8)),
    }
    if export.ids is not None:
        datasets["/id"] = _strings(export.ids)
    attributes = {
        "selection": export.selection,
        "fingerprint": bank.fingerprint,
        "source": json.dumps(dict(bank.source), sort_keys=True),
    }
    for piece in hdf5_image(datasets, attributes).pieces():
        file.write(piece)


def _strings(values: Sequence[str]) -> Dataset:
    """Strings of one length, in UTF-8, padded with zeros."""
    encoded = [value.encode() for value in values]
    dtype = h5py.string_dtype("utf-8", max(1, *map(len, encoded)))
    return Dataset.of(np.array(encoded, dtype))


def _write_npy(export: _Export, file: BinaryIO) -> None:
    shape = (len(export.texts), len(export.columns))
    np.lib.format.write_array_header_2_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    for _, X in export.chunks():
        file.write(X.data)


def _write_parquet(export: _Export, file: BinaryIO) -> None:
    from pyarrow.parquet import ParquetWriter

    writer = None
    for rows, X in export.chunks():
        table = export.tables(rows, X)
        if writer is None:
            # Dictionaries and statistics of thousands of float columns cost more than they save.
            writer = ParquetWriter(file, table.schema, use_dictionary=False, write_statistics=False)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _write_csv(export: _Export, file: BinaryIO) -> None:
    from pyarrow.csv import CSVWriter

    writer = None
    for rows, X in export.chunks():
        table = export.tables(rows, X)
        writer = writer or CSVWriter(file, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


#: File ending -> what writes it. A new format is one function and one line.
WRITERS: dict[str, Callable[[_Export, BinaryIO], None]] = {
    ".h5": _write_hdf5,
    ".npy": _write_npy,
    ".parquet": _write_parquet,
    ".csv": _write_csv,
}
