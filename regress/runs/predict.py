"""Predictions for a file of texts."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from features.disk.atomic import replacing
from features.errors import InputError
from features.tables.table import Dataset
from regress.compute.arrays import Matrix
from regress.data.fold_banks import BankLike
from regress.runs.csv_writing import write_rows
from regress.runs.format import plain
from regress.runs.holdout import HoldOut, held_out
from regress.runs.like import Form
from regress.runs.run import Run

#: Endings that promise another format than the two that are written; any further one is CSV.
OTHERS = frozenset(
    {".arrow", ".feather", ".h5", ".hdf5", ".json", ".jsonl", ".npy", ".npz", ".ods", ".orc"}
    | {".pickle", ".pkl", ".tsv", ".xls", ".xlsx", ".bz2", ".gz", ".xz", ".zip", ".zst"}
)


class Predicted(NamedTuple):
    """What was predicted for a file of texts.

    Attributes
    ----------
    values
        Shape (n_texts,), or (n_texts, n_targets) for several targets.
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
    out = Path(out)
    refuse_out(out, force=force)
    ids: Sequence[object] = dataset.rows.tolist() if dataset.ids is None else dataset.ids
    called = [str(id) for id in ids]
    rows = [*range(len(ids))] if form is None else form.places(called, "the file of texts")
    name = "row" if dataset.ids is None else id_name
    if form is None and name in run.targets:
        raise InputError(
            f"the ids and what is predicted are both called {name!r}: give another column with --id"
        )
    values = run.predict(dataset.texts, bank, model=model)
    columns: dict[str, Sequence[object]] = {
        name: ids,
        **dict(zip(run.targets, _columns(values), strict=True)),
    }
    if form is not None:
        columns = form.named(ids, columns)
    promised = {saved.target: saved.scores for saved in run.chosen(model)}
    held = held_out(run, dataset.texts, values, dataset.extra, by, promised)
    write = _write_parquet if out.suffix.lower() == ".parquet" else _write_csv
    write(out, [*columns], [[column[row] for row in rows] for column in columns.values()])
    return Predicted(values, held)


def _columns(values: Matrix) -> list[list[float]]:
    columns: list[list[float]] = values.reshape(len(values), -1).T.tolist()
    return columns


def prediction_report(
    run: Run,
    dataset: Dataset,
    out: Path,
    predicted: Predicted,
    *,
    model: str | None = None,
    as_json: bool = False,
) -> str:
    """What was predicted, by which models, and how good that is, in lines or as JSON."""
    chosen = run.chosen(model)
    if as_json:
        models = [
            {"target": saved.target, "model": saved.model, "select": saved.select, **saved.scores}
            for saved in chosen
        ]
        scores = [found.as_dict() for found in predicted.held_out]
        said = {"out": str(out), "n_texts": len(dataset.texts), "models": models}
        return json.dumps(plain({**said, "held_out": scores}))
    scored = ", ".join(
        f"{saved.label} (nested RMSE {saved.scores['rmse']:.4f})" for saved in chosen
    )
    lines = [line for found in predicted.held_out for line in found.lines()]
    return "\n".join([f"{out}: {len(dataset.texts)} predictions by {scored}", *lines])


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
