"""What tests of delete share: the call, and what a bank's folder holds after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features import Bank, Text, text_key, text_keys
from features.upkeep.delete import DeleteReport, delete
from features.upkeep.verify import verify
from tests.made_up import SETUP, values_of


def forget(bank: Bank, texts: Sequence[Text], **options: Any) -> DeleteReport:
    return delete(bank.path, text_keys(texts), **options)


def assert_holds(path: Path, texts: Sequence[Text]) -> None:
    """Exactly these, each as it was written."""
    bank = Bank.open(path)
    assert bank.n_texts == len(texts)
    setup = dict(bank.setup)
    expected = np.array([values_of(text, setup).ravel() for text in texts])
    if setup["precision"] != "fp32":
        fits = np.abs(expected).max(axis=1, initial=0) < 65504
        expected[fits] = expected[fits].astype(np.float16)
    np.testing.assert_array_equal(bank.matrix(texts, "*[:]+pooler"), expected)
    np.testing.assert_array_equal(bank.n_tokens(texts), [len(str(text)) for text in texts])
    np.testing.assert_array_equal(bank.truncated(texts), [len(str(text)) > 5 for text in texts])
    assert verify(path).findings == ()


def traces(path: Path, texts: Sequence[Text], setup: Any = SETUP) -> list[str]:
    """Files in which the key, in binary or in hexadecimal, or a vector of a text stands."""
    found = []
    for file in (file for file in path.rglob("*") if file.is_file()):
        content = file.read_bytes()
        for text in texts:
            key = text_key(text)
            vectors = values_of(text, setup)
            needles = [key, key.hex().encode(), *(row.tobytes() for row in vectors)]
            needles += [row.astype("<f2").tobytes() for row in vectors]
            if any(needle in content for needle in needles):
                found.append(file.relative_to(path).as_posix())
    return sorted({*found})


def state(path: Path) -> dict[str, bytes]:
    """Every file of a folder, but for the empty lock."""
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name != ".rearranging"
    }
