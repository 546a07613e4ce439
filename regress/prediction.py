"""Predictions for a file of texts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from features.atomic import replacing
from features.errors import InputError
from features.table import Dataset
from regress.design import BankLike
from regress.model import Matrix
from regress.run import Run


def predict_file(
    run: Run,
    dataset: Dataset,
    out: str | Path,
    *,
    bank: BankLike | None = None,
    model: str | None = None,
    id_name: str = "id",
    force: bool = False,
) -> Matrix:
    """Predict a data set and write ids and predictions as CSV.

    Parameters
    ----------
    run
        What `load_run` gave.
    dataset
        Texts, with ids or without (then the file has row numbers, in a column ``row``).
    out
        The CSV file; it appears when it is whole.
    bank, model
        As `Run.predict`.
    id_name
        Name of the ids' column.
    force
        Whether to replace a file that is there.

    Returns
    -------
    The predictions, shape (n_texts,), or (n_texts, n_targets) for several targets.

    Raises
    ------
    InputError
        The file exists.
    CommitError
        It could not be written.
    RunError, FingerprintMismatch, MissingTexts
        As `Run.predict`.
    """
    out = Path(out)
    refuse_existing_file(out, force=force)
    predicted = run.predict(dataset.texts, bank, model=model)
    ids = dataset.rows.tolist() if dataset.ids is None else dataset.ids
    several = [f"prediction {target}" for target in run.targets]
    header = ["row" if dataset.ids is None else id_name]
    header += ["prediction"] if predicted.ndim == 1 else several
    values = predicted.reshape(len(predicted), -1).tolist()
    _write_csv(out, [header, *([id_, *row] for id_, row in zip(ids, values, strict=True))])
    return predicted


def prediction_report(
    run: Run, dataset: Dataset, out: Path, *, model: str | None = None, as_json: bool = False
) -> str:
    """What was predicted, by which models, in a line or as JSON."""
    chosen = run.chosen(model)
    if as_json:
        models = [
            {"target": one.target, "model": one.model, "select": one.select, **one.scores}
            for one in chosen
        ]
        return json.dumps({"out": str(out), "n_texts": len(dataset.texts), "models": models})
    scored = ", ".join(f"{one.label} (nested RMSE {one.scores['rmse']:.4f})" for one in chosen)
    return f"{out}: {len(dataset.texts)} predictions by {scored}"


def refuse_existing_file(out: Path, *, force: bool) -> None:
    """InputError when a file cannot be written to `out`."""
    if out.is_dir():
        raise InputError(f"{out} is a folder: name a file with --out")
    if out.exists() and not force:
        raise InputError(f"{out} exists: give another --out, or --force to replace it")


def _write_csv(out: Path, rows: Sequence[Sequence[object]]) -> None:
    with replacing(out) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        csv.writer(text, lineterminator="\n").writerows(rows)
        text.detach()
