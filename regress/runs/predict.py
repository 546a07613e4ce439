"""Predictions for a file of texts."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.disk.atomic import replacing
from features.disk.system import is_writable
from features.errors import InputError
from features.paths import as_path
from features.tables.table import Dataset
from regress.compute.arrays import Matrix
from regress.data.fold_banks import BankLike
from regress.runs.csv_writing import write_rows
from regress.runs.empty_texts import has_empty_part
from regress.runs.format import plain
from regress.runs.holdout import HoldOut, held_out
from regress.runs.like import Form
from regress.runs.run import Run

#: Endings that promise another format than the two that are written; any further one is CSV.
OTHERS = frozenset(
    {".arrow", ".feather", ".h5", ".hdf5", ".json", ".jsonl", ".npy", ".npz", ".ods", ".orc"}
    | {".pickle", ".pkl", ".tsv", ".xls", ".xlsx", ".bz2", ".gz", ".xz", ".zip", ".zst"}
    | {".htm", ".html", ".md", ".pdf", ".txt"}
)


class Predicted(NamedTuple):
    """What was predicted for a file of texts.

    Attributes
    ----------
    values
        Shape (n_texts, n_targets).
    held_out
        Scores of the targets that the file holds.
    """

    values: Matrix
    held_out: list[HoldOut]


def predict_file(
    run: Run,
    dataset: Dataset,
    out: str | Path,
    *,
    bank: BankLike | None = None,
    model: str | None = None,
    id_name: str = "id",
    form: Form | None = None,
    by: Sequence[str] = (),
    force: bool = False,
    by_mean: NDArray[np.bool_] | None = None,
) -> Predicted:
    """Predict a data set, write ids and predictions, and score these where their truth is known.

    Parameters
    ----------
    run
        What `load_run` gave.
    dataset
        Texts, with ids or without (then the file has row numbers, in a column ``row``). Among its
        further columns may be those of targets, and are those of `by`.
    out
        The file, which appears when it is whole: Parquet where it ends so, and CSV otherwise.
    bank, model
        As `Run.predict`.
    id_name
        Name of the ids' column.
    form
        What the file is to look like; None for the order of the data set, ids first.
    by
        Columns to break the scores down by.
    force
        Whether to replace a file that is there.
    by_mean
        Shape (n_texts,): texts that get the mean of the training target; None for none.

    Raises
    ------
    InputError
        The file exists, or ends in what is neither; ids and a target have one name; `form` has
        other ids.
    CommitError
        It could not be written.
    RunError, FingerprintMismatch, MissingTexts
        As `Run.predict`.
    """
    out = as_path(out)
    refuse_out(out, force=force)
    ids: Sequence[object] = dataset.rows.tolist() if dataset.ids is None else dataset.ids
    called = [str(id) for id in ids]
    rows = [*range(len(ids))] if form is None else form.places(called, "the file of texts")
    name = "row" if dataset.ids is None else id_name
    if form is None:
        refuse_shared_name(run, name)
    by_mean = np.zeros(len(dataset.texts), bool) if by_mean is None else by_mean
    values = run.predict_but(by_mean, dataset.texts, bank, model=model)
    if by_mean.any():
        values[by_mean] = run.target_means()
    columns: dict[str, Sequence[object]] = {
        name: ids,
        **dict(zip(run.targets, values.T.tolist(), strict=True)),
    }
    if form is not None:
        columns = form.named(ids, columns)
    promised = {saved.target: saved.scores for saved in run.chosen(model)}
    held = held_out(run, dataset.texts, values, dataset.extra, by, promised)
    write = _write_parquet if out.suffix.lower() == ".parquet" else _write_csv
    write(out, [*columns], [[column[row] for row in rows] for column in columns.values()])
    return Predicted(values, held)


def refuse_shared_name(run: Run, id_name: str) -> None:
    """InputError where the column of ids would have a target's name."""
    if id_name in run.targets:
        raise InputError(
            f"the ids and what is predicted are both called {id_name!r}: give another column with "
            "--id"
        )


def prediction_report(
    run: Run,
    dataset: Dataset,
    out: Path,
    predicted: Predicted,
    *,
    model: str | None = None,
    as_json: bool = False,
    n_by_mean: int = 0,
) -> str:
    """What was predicted, by which models, and how good that is, in lines or as JSON."""
    chosen = run.chosen(model)
    if as_json:
        models = [
            {"target": saved.target, "model": saved.model, "select": saved.select, **saved.scores}
            for saved in chosen
        ]
        counts = {
            "n_texts": len(dataset.texts),
            "n_empty": sum(map(has_empty_part, dataset.texts)),
            "n_by_mean": n_by_mean,
            "n_skipped": dataset.n_skipped,
        }
        scores = [found.as_dict() for found in predicted.held_out]
        return json.dumps(plain({"out": str(out), **counts, "models": models, "held_out": scores}))
    scored = ", ".join(
        f"{saved.label} (nested RMSE {saved.scores['rmse']:.4f})" for saved in chosen
    )
    lines = [line for found in predicted.held_out for line in found.lines()]
    return "\n".join([f"{out}: {len(dataset.texts)} predictions by {scored}", *lines])


def notes_on_empty(dataset: Dataset, by_mean: NDArray[np.bool_]) -> list[str]:
    """What has to be said of texts that are empty or give no token, a sentence each."""
    empty = np.array([has_empty_part(text) for text in dataset.texts], bool)
    found = []
    if n := dataset.n_skipped:
        found.append(f"{n} of the texts {_are(n)} empty, and left out")
    if n := int((empty & ~by_mean).sum()):
        found.append(
            f"{n} of the texts {_are(n)} empty, or in part: predicted like any other, from what "
            "the encoder makes of its special tokens (--empty mean gives the training mean)"
        )
    if n := int((empty & by_mean).sum()):
        found.append(f"{n} of the texts {_are(n)} empty, or in part: given the training mean")
    if n := int((by_mean & ~empty).sum()):
        give = "gives" if n == 1 else "give"
        found.append(f"{n} of the texts {give} no token: given the training mean")
    return found


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def refuse_out(out: Path, *, force: bool) -> None:
    """InputError when predictions cannot be written to `out`."""
    if out.suffix.lower() in OTHERS:
        raise InputError(
            f"{out} would not hold {out.suffix} but CSV: name a .csv or .parquet in --out"
        )
    refuse_existing_file(out, force=force)


def refuse_existing_file(out: Path, *, force: bool, option: str = "--out") -> None:
    """InputError when a file cannot be written to `out`, which `option` named."""
    if out.is_dir():
        raise InputError(f"{out} is a folder: name a file with {option}")
    if out.exists() and not force:
        raise InputError(f"{out} exists: give another {option}, or --force to replace it")
    if not is_writable(out.parent):
        raise InputError(f"{out.parent} cannot be written to: give another {option}")


def _write_csv(out: Path, header: Sequence[str], columns: Sequence[Sequence[object]]) -> None:
    with replacing(out) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        write_rows(text, [header, *zip(*columns, strict=True)])
        text.detach()


def _write_parquet(out: Path, header: Sequence[str], columns: Sequence[Sequence[object]]) -> None:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    with replacing(out) as file:
        write_table(
            pa.Table.from_arrays([pa.array(column) for column in columns], names=header), file
        )
