"""A made-up task: a bank whose layers know something about a target."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from features import Bank, text_keys
from features.console.app import run as run_app
from regress.cli import app
from tests.made_up import SETUP, SOURCE


@pytest.fixture(autouse=True, scope="session")
def one_blas_thread() -> Iterator[None]:
    """Small matrices on many threads are slow, and slower yet when tests run side by side."""
    with threadpool_limits(limits=1):
        yield


class MadeUpTask(NamedTuple):
    """Texts of a bank with their targets."""

    bank: Bank
    texts: list[str]
    y: np.ndarray


def fill(bank: Bank, texts: list[str], hidden_states: np.ndarray) -> None:
    """Add texts with their blocks, shape (n_texts, n_blocks, hidden)."""
    n_tokens = np.full(len(texts), 7, np.int32)
    with bank.writer({"engine": "made up"}) as writer:
        writer.add(text_keys(texts), n_tokens, np.zeros(len(texts), bool), hidden_states)
    bank.refresh()


def made_up_task(
    folder: Path, n: int = 90, *, hidden: int = 6, seed: int = 0, name: str = "made-up.bank"
) -> MadeUpTask:
    """n texts whose blocks carry a linear signal, the later layers more; cls[0] is constant."""
    rng = np.random.default_rng(seed)
    setup: dict[str, Any] = {**SETUP, "hidden_size": hidden, "pooler": False}
    bank = Bank.create(folder / name, setup, SOURCE)
    y = rng.standard_normal(n)
    states = rng.standard_normal((n, len(bank.blocks), hidden))
    for i, block in enumerate(bank.blocks):
        states[:, i] += 0.3 * (block.layer or 0) * y[:, None]
        if (block.pooling, block.layer) == ("cls", 0):
            states[:, i] = rng.standard_normal(hidden)
    texts = [f"text {i} of seed {seed}" for i in range(n)]
    fill(bank, texts, states.astype(np.float32))
    return MadeUpTask(bank, texts, 10 + 3 * y)


@pytest.fixture
def make_task(tmp_path: Path) -> Callable[..., MadeUpTask]:
    """Makes made-up tasks, their banks in this test's folder."""
    return partial(made_up_task, tmp_path)


@pytest.fixture
def task(make_task: Callable[..., MadeUpTask]) -> MadeUpTask:
    return make_task(60)


@pytest.fixture
def table(task: MadeUpTask, tmp_path: Path) -> Path:
    """The task's texts and targets as a file, with columns for every option, good and bad."""
    path = tmp_path / "train.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "score", "author", "level", "flat", "double", "fold",
                         "weight", "bad", "nofold"])  # fmt: skip
        for i, (text, y) in enumerate(zip(task.texts, task.y, strict=True)):
            row = [f"{i:03d}", text, y, f"author {i % 7}", "" if i == 4 else i, 1, 2 * y]
            bad = {3: 0, 4: "inf"}.get(i, 1)
            writer.writerow([*row, i % 4 + 1, 1 + i % 3, bad, "" if i == 9 else i % 3])
    return path


#: Calls ``python -m regress``: exit code, stdout and stderr.
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            run_app(app, [str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return call


@contextmanager
def saved_without_reports() -> Iterator[None]:
    """Runs are saved without their report, which takes longer than small fits."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("write_report_data", "draw_report"):
            patch.setattr(f"regress.runs.drawing.{name}", lambda *_, **__: None)
        yield


@pytest.fixture
def without_reports() -> Iterator[None]:
    with saved_without_reports():
        yield
