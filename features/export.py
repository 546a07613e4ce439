"""A selection for chosen texts as one plain HDF5 file."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from features.bank import Bank
from features.errors import CommitError, InputError
from features.keys import Text

#: Rows that stand in memory at a time.
ROWS = 4096


def export(
    bank: Bank,
    texts: Sequence[Text],
    selection: str,
    out: str | Path,
    *,
    ids: Sequence[str] | None = None,
    force: bool = False,
) -> Path:
    """Write a selection as one plain ``.h5`` file, rows in the order of ``texts``.

    The file holds ``/X`` (n, d) float32, ``/columns`` (d,) with the columns' names, ``/n_tokens``
    (n,) int32, ``/truncated`` (n,) uint8 and, where ids are given, ``/id`` (n,). It appears under
    its name only when it is whole.

    Raises
    ------
    MissingTexts, SelectionError
        As :meth:`features.bank.Bank.matrix`.
    InputError
        When the file exists, or has another ending.
    CommitError
        When it could not be written.
    """
    out = Path(out)
    if out.suffix.lower() not in (".h5", ".hdf5"):
        raise InputError(f"{out} does not end in .h5: export writes HDF5 files")
    if out.exists() and not force:
        raise InputError(f"{out} exists: give another --out, or --force to replace it")
    columns = bank.column_names(selection)
    bank.require(texts)  # all of them, before anything is written
    temporary = out.with_name(f".{out.name}-{secrets.token_hex(8)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(temporary, "w", libver="v110") as file:
            file.attrs["selection"] = str(selection)
            file.attrs["fingerprint"] = bank.fingerprint
            file.attrs["source"] = json.dumps(dict(bank.source), sort_keys=True)
            X = file.create_dataset("X", (len(texts), len(columns)), np.float32)
            for start in range(0, len(texts), ROWS):
                X[start : start + ROWS] = bank.matrix(texts[start : start + ROWS], selection)
            strings = h5py.string_dtype()
            file.create_dataset("columns", data=columns, dtype=strings)
            file.create_dataset("n_tokens", data=bank.n_tokens(texts))
            file.create_dataset("truncated", data=bank.truncated(texts).astype(np.uint8))
            if ids is not None:
                file.create_dataset("id", data=list(ids), dtype=strings)
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(out)
    except (OSError, RuntimeError) as error:
        raise CommitError(f"could not write {out} ({error}): make room and call again") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return out
