"""From a file and the options that were given to texts and targets, and back from a run."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from features.errors import InputError, MissingTexts
from features.paths import as_path
from features.tables.labels import is_missing
from features.tables.reading import Reading
from features.tables.table import Dataset, Table, open_table, read_dataset
from regress.data.task import kept_rows


@dataclass(frozen=True)
class Source:
    """The file and columns of an experiment, as ``run.json`` records them under ``input``."""

    path: str
    target: Sequence[str]
    text: Sequence[str] | None = None
    format: str | None = None
    encoding: str = "utf-8"
    id: str | None = None
    group: str | None = None
    fold: str | None = None
    sample_weight: str | None = None
    skip_empty: bool = False
    skip_missing: bool = False
    by: Sequence[str] = ()
    delimiter: str | None = None
    quoting: str | None = None
    decimal: str | None = None
    no_header: bool = False
    spooled: bool = False
    """Whether it was standard input or a pipe, which cannot be read a second time."""

    @property
    def reading(self) -> Reading:
        """How the file is read."""
        return Reading(**{own.name: getattr(self, own.name) for own in fields(Reading)})

    def read(
        self,
        table: Table | None = None,
        *,
        numeric: Sequence[str] = (),
        keep_empty: bool = False,
    ) -> tuple[Source, Dataset]:
        """The data set, and this with its columns of texts by name.

        Parameters
        ----------
        table
            The file, where it is open already.
        numeric
            Which of the columns in `by` hold numbers.
        keep_empty
            As `features.tables.table.read_dataset`.
        """
        if self.spooled:
            raise InputError(
                f"the run was made from {self.path}, which cannot be read a second time: keep what "
                "came through it in a file, and give that"
            )
        table = open_table(self.path, **asdict(self.reading)) if table is None else table
        wanted = (self.fold, self.sample_weight, *self.by)
        extra = dict.fromkeys(name for name in wanted if name is not None)
        weights = [] if self.sample_weight is None else [self.sample_weight]
        dataset = read_dataset(
            table, text=self.text, target=self.target, id=self.id, group=self.group,
            extra=[*extra], numeric=[*numeric, *weights], skip_empty=self.skip_empty,
            skip_missing=self.skip_missing, keep_empty=keep_empty,
        )  # fmt: skip
        path = self.path if table.spooled else str(as_path(self.path).absolute())
        found = replace(self, path=path, text=table.text_columns(self.text), spooled=table.spooled)
        return found, dataset

    def read_kept(self) -> Dataset:
        """The rows that are fitted and scored: with a target, and a weight above 0."""
        source, dataset = self.read()
        weights = source.arguments(dataset).get("sample_weight")
        kept = kept_rows(dataset.targets, None if weights is None else np.array(weights))
        return dataset.of_rows(np.flatnonzero(kept).tolist())

    def arguments(self, dataset: Dataset) -> dict[str, Any]:
        """What `evaluate` is given of the data set, beside texts and targets."""
        rows = dataset.rows.tolist()
        given: dict[str, Any] = {
            "groups": dataset.groups,
            "ids": rows if dataset.ids is None else dataset.ids,
            "id_name": self.id or "row",
            "rows": rows,
            "target_names": list(self.target),
        }
        if self.sample_weight is not None:
            given["sample_weight"] = _weights(dataset, self.sample_weight, self.path)
        if self.skip_missing:
            given["skip_missing"] = True
        if self.fold is not None:
            given["folds"] = dataset.extra[self.fold]
        return given

    @contextmanager
    def named_where_missing(self, dataset: Dataset) -> Iterator[None]:
        """A `MissingTexts` of the data set names the file's row, and what to type to add it."""
        try:
            yield
        except MissingTexts as error:
            words = [self.path, *(word for name in self.text or () for word in ("--text", name))]
            words += self.reading.words()
            words += ["--skip-empty"] if self.skip_empty else []
            raise error.of(shlex.join(words), dataset.rows.tolist()) from None

    @classmethod
    def recorded(cls, source: Mapping[str, Any]) -> Source:
        """What `run.json` recorded."""
        names = [name for name in cls.__dataclass_fields__ if source.get(name) is not None]
        return cls(**{name: source[name] for name in names})


def further_columns(source: Mapping[str, Any] | None) -> dict[str, Sequence[object]]:
    """The columns that a report breaks the RMSE down by, read from the file that `source` names."""
    if not source or not source.get("by"):
        return {}
    recorded = Source.recorded(source)
    extra = recorded.read_kept().extra
    return {name: extra[name] for name in recorded.by}


def _weights(dataset: Dataset, column: str, path: str) -> list[float]:
    """Weights, NaN where there is none: a row without a target need have no weight."""
    weights = []
    for row, cell in zip(dataset.rows.tolist(), dataset.extra[column], strict=True):
        try:
            # 1_0 is a number to Python alone.
            weights.append(math.nan if is_missing(cell) else float(cell.replace("_", "?")))
        except ValueError:
            raise InputError(
                f"{path} has {cell!r} for a sample weight in row {row} of column {column!r}: give "
                "a number from 0 on"
            ) from None
    return weights
