"""From a file and the options that were given to texts and targets, and back from a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from features.errors import InputError, MissingTexts
from features.paths import as_path
from features.tables.table import Dataset, open_table, read_dataset


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
    by: Sequence[str] = ()

    def read(self) -> tuple[Source, Dataset]:
        """The data set, and this with its columns of texts by name."""
        table = open_table(self.path, format=self.format, encoding=self.encoding)
        wanted = (self.fold, self.sample_weight, *self.by)
        extra = dict.fromkeys(name for name in wanted if name is not None)
        dataset = read_dataset(
            table, text=self.text, target=self.target, id=self.id, group=self.group,
            extra=[*extra], skip_empty=self.skip_empty,
        )  # fmt: skip
        absolute = str(as_path(self.path).absolute())
        named = {**vars(self), "path": absolute, "text": table.text_columns(self.text)}
        return Source(**named), dataset

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
            words += ["--format", self.format] if self.format is not None else []
            words += ["--encoding", self.encoding] if self.encoding != "utf-8" else []
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
    extra = recorded.read()[1].extra
    return {name: extra[name] for name in recorded.by}


def _weights(dataset: Dataset, column: str, path: str) -> list[float]:
    weights = []
    for row, cell in zip(dataset.rows.tolist(), dataset.extra[column], strict=True):
        try:
            weights.append(float(cell.replace("_", "?")))  # 1_0 is a number to Python alone
        except ValueError:
            raise InputError(
                f"{path} has {cell!r} for a sample weight in row {row} of column {column!r}: give "
                "a number above 0"
            ) from None
    return weights
