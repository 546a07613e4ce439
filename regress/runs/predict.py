"""Predictions for a file of texts."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

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
from regress.runs.run import Run

#: Endings that promise another format than the two that are written; any further one is CSV.
OTHERS = frozenset(
    {".arrow", ".feather", ".h5", ".hdf5", ".json", ".jsonl", ".npy", ".npz", ".ods", ".orc"}
    | {".pickle", ".pkl", ".tsv", ".xls", ".xlsx", ".bz2", ".gz", ".xz", ".zip", ".zst"}
)


def predict_file(
    run: Run,
    dataset: Dataset,
    out: str | Path,
    *,
    bank: BankLike | None = None,
    model: str | None = None,
    id_name: str = "id",
    force: bool = False,
    by_mean: NDArray[np.bool_] | None = None,
) -> Matrix:
    """Predict a data set and write ids and predictions.

    Parameters
    ----------
    run
        What `load_run` gave.
    dataset
        Texts, with ids or without (then the file has row numbers, in a column ``row``).
    out
        The file, which appears when it is whole: Parquet where it ends so, and CSV otherwise.
    bank, model
        As `Run.predict`.
    id_name
        Name of the ids' column.
    force
        Whether to replace a file that is there.
    by_mean
        Shape (n_texts,): texts that get the mean of the training target; None for none.

    Returns
    -------
    The predictions, shape (n_texts,), or (n_texts, n_targets) for several targets.

    Raises
    ------
    InputError
        The file exists, or ends in what is neither.
    CommitError
        It could not be written.
    RunError, FingerprintMismatch, MissingTexts
        As `Run.predict`.
    """
    out = as_path(out)
    refuse_out(out, force=force)
    by_mean = np.zeros(len(dataset.texts), bool) if by_mean is None else by_mean
    predicted = run.predict_but(by_mean, dataset.texts, bank, model=model)
    if by_mean.any():
        predicted[by_mean] = run.target_means()
    ids = dataset.rows.tolist() if dataset.ids is None else dataset.ids
    header = header_of(run, "row" if dataset.ids is None else id_name)
    columns = [ids, *predicted.T.tolist()]
    write = _write_parquet if out.suffix.lower() == ".parquet" else _write_csv
    write(out, header, columns)
    return predicted[:, 0] if predicted.shape[1] == 1 else predicted


def header_of(run: Run, id_name: str) -> list[str]:
    """The columns of a file of predictions; InputError where two would have one name."""
    several = [f"prediction {target}" for target in run.targets]
    predictions = ["prediction"] if len(several) == 1 else several
    if id_name in predictions:
        raise InputError(
            f"a column of ids called {id_name!r} would have the name of the predictions beside it: "
            "rename it in the input, and give --id the new name"
        )
    return [id_name, *predictions]


def prediction_report(
    run: Run,
    dataset: Dataset,
    out: Path,
    *,
    model: str | None = None,
    as_json: bool = False,
    n_by_mean: int = 0,
) -> str:
    """What was predicted, by which models, in a line or as JSON."""
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
        return json.dumps({"out": str(out), **counts, "models": models})
    scored = ", ".join(
        f"{saved.label} (nested RMSE {saved.scores['rmse']:.4f})" for saved in chosen
    )
    return f"{out}: {len(dataset.texts)} predictions by {scored}"


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
