"""The input of a run on Ray: files, which tasks count and read as stretches of their texts."""

from __future__ import annotations

import pickle
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from extract.texts.input import Picked, Shard
from extract.texts.stream import count_new
from features.bank import Bank
from features.errors import InputError, LayerbankError
from features.keys import Text
from features.paths import as_paths
from features.tables.reading import Reading
from features.tables.spool import flows
from features.tables.table import open_table, read_texts

if TYPE_CHECKING:
    import pyarrow as pa

#: Texts, and their characters, about, that are encoded and committed as one.
STRETCH, STRETCH_CHARACTERS = 4_096, 1 << 23

#: The column of a stretch's texts' numbers, and that of an error as bytes.
NUMBER, ERROR = "number", "error"


@dataclass(frozen=True, slots=True)
class Source:
    """An input file and what to read of it, as :func:`features.tables.table.open_table` has it."""

    path: Path
    reading: Reading
    columns: tuple[str, ...]
    skip_empty: bool

    def texts(self) -> Iterator[Text]:
        """The texts, streaming and verbatim; InputError as anywhere."""
        if not self.path.exists():
            raise InputError(
                f"{self.path} is not on {this_node()}: put it in a folder that all nodes share"
            )
        table = open_table(self.path, **asdict(self.reading))
        return read_texts(table, self.columns, skip_empty=self.skip_empty)


def sources_of(
    inputs: Sequence[str | Path],
    text: Sequence[str] | None = None,
    *,
    skip_empty: bool = False,
    **how_read: Any,
) -> list[Source]:
    """Files to read as :class:`~features.tables.reading.Reading` says; there, with the columns."""
    sources = []
    for path in as_paths(inputs):
        if flows(path):
            raise InputError(
                f"{path} is seen by this process alone, and the nodes of a cluster share files: "
                "write it to one first"
            )
        columns = open_table(path, **how_read).text_columns(text)
        sources.append(Source(path.absolute(), Reading(**how_read), tuple(columns), skip_empty))
    return sources


def count(source: Source, bank: Bank | None, shard: Shard | None) -> tuple[int, int]:
    """Texts of a file, and about how many of them are the shard's and new; reads every row."""
    picked = Picked(source.texts(), shard)
    n_new = count_new(bank, picked)
    return picked.n_seen, n_new


def read_stretches(
    batch: dict[str, NDArray[np.int64]],
    sources: list[Source],
    n_before: list[int],
    shard: Shard | None,
    size: int,
) -> Iterator[pa.Table]:
    """A file as stretches of its texts.

    Parameters
    ----------
    batch
        Which of the sources to read.
    sources, n_before
        All of them, and how many texts of the input stand before each.
    shard
        Whose texts to take; None for all.
    size
        Texts in a stretch.

    Yields
    ------
    Tables of one row: a list with the number of each text in the whole input, from 1, and a list
    of strings for each part of the texts.
    """
    import pyarrow as pa

    try:
        for source in batch["source"]:
            texts = Picked(sources[source].texts(), shard)
            while True:
                numbers, taken = texts.take(size, STRETCH_CHARACTERS)
                if not taken:
                    break
                rows = [(text,) if isinstance(text, str) else text for text in taken]
                # Lists and strings with 64-bit offsets: a block may hold any number of stretches.
                parts = {
                    f"part{i}": pa.array([list(part)], pa.large_list(pa.large_string()))
                    for i, part in enumerate(zip(*rows, strict=True))
                }
                counted = [n_before[source] + number for number in numbers]
                yield pa.table({NUMBER: pa.array([counted], pa.large_list(pa.int64())), **parts})
    except LayerbankError as error:
        yield pa.table({ERROR: [pickle.dumps(error)]})


def read_stretch(batch: pa.Table, row: int) -> tuple[NDArray[np.int64], list[Text]]:
    """A stretch's texts and their numbers; raises what went wrong when it was read."""
    if ERROR in batch.column_names:
        error: LayerbankError = pickle.loads(batch[ERROR][row].as_py())
        raise error
    numbers, *parts = (column[row].as_py() for column in batch.columns)
    texts = parts[0] if len(parts) == 1 else list(zip(*parts, strict=True))
    return np.array(numbers, np.int64), texts


def this_node() -> str:
    """The machine that this runs on, for messages."""
    return f"the node {platform.node()} of the cluster"
