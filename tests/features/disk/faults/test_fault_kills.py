"""SIGKILL, for real: at random moments, and at each operation of a commit."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features import Bank
from features.upkeep.verify import verify
from tests.features.disk.faults.rig import (
    EVERYTHING,
    TEXTS,
    Acknowledged,
    Faults,
    assert_sound,
    check_rows,
    extract,
    truth,
)

# A server forks the children: its modules are loaded once, and it has no threads.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def start(target: Callable[..., None], *arguments: Any) -> Any:
    """A process of its own."""
    process = _context.Process(target=target, args=arguments)
    process.start()
    return process


def _extract(bank: Path, acknowledged: Path, texts: list[str], batch: int) -> None:
    extract(bank, texts, batch=batch, acknowledge=Acknowledged(acknowledged))


def _extract_until(at: int, bank: Path, acknowledged: Path) -> None:
    with Faults(at, "sigkill"):
        extract(bank, acknowledge=Acknowledged(acknowledged))


def _recompute(bank: Path, acknowledged: Path, texts: list[str]) -> None:
    told = [text for some in Acknowledged(acknowledged).batches() for text in some]
    assert len(told) > 0
    check_rows(bank, told, texts)


def in_a_fresh_process(target: Callable[..., None], *arguments: Any) -> None:
    process = start(target, *arguments)
    process.join(60)
    assert process.exitcode == 0


def _random_moments(folder: Path, n_kills: int) -> None:
    rng = random.Random(1)
    bank, acknowledged = folder / "killed.bank", Acknowledged(folder / "acknowledged")
    texts = [f"text {i}" for i in range(3 * n_kills)]
    longest, n_before, killed = 0.1, 0, 0
    while killed < n_kills:
        some = rng.sample(texts, len(texts) // 2)
        process = start(_extract, bank, acknowledged.path, some, rng.choice([1, 2]))
        # From before it does anything to well into its commits, however busy the machine is.
        time.sleep(rng.random() * longest)
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
        n_commits = len(acknowledged.batches())
        longest *= 1.2 if n_commits == n_before else 0.9
        n_before = n_commits
        if killed % 10 == 0 and n_commits:
            in_a_fresh_process(_recompute, bank, acknowledged.path, texts)
        if process.exitcode == 0:  # nearly all are there: more to do
            texts += [f"text {len(texts) + i}" for i in range(n_kills)]
    assert len(acknowledged.batches()) > n_kills / 2
    in_a_fresh_process(_recompute, bank, acknowledged.path, texts)
    assert_sound(bank)
    some = texts
    extract(bank, some, batch=100)
    extract(folder / "whole.bank", some, batch=100)
    finished, whole = Bank.open(bank), Bank.open(folder / "whole.bank")
    assert finished.n_texts == whole.n_texts == len(some)
    np.testing.assert_array_equal(finished.matrix(some, EVERYTHING), whole.matrix(some, EVERYTHING))
    np.testing.assert_array_equal(whole.matrix(some, EVERYTHING), truth(some))
    np.testing.assert_array_equal(finished.n_tokens(some), whole.n_tokens(some))
    np.testing.assert_array_equal(finished.truncated(some), whole.truncated(some))
    assert verify(bank).findings == ()


def test_50_kills_at_random_moments(tmp_path: Path) -> None:
    _random_moments(tmp_path, 50)


@pytest.mark.slow
def test_1000_kills_at_random_moments(tmp_path: Path) -> None:
    _random_moments(tmp_path, 1000)


def test_a_kill_before_each_operation(tmp_path: Path) -> None:
    """Before the next operation is after this one, so each step has both."""
    at = n_killed = 0
    while True:
        at += 1
        bank, acknowledged = tmp_path / f"{at}.bank", tmp_path / f"acknowledged {at}"
        process = start(_extract_until, at, bank, acknowledged)
        process.join(60)
        told = [text for some in Acknowledged(acknowledged).batches() for text in some]
        check_rows(bank, told)
        assert_sound(bank)
        extract(bank)
        check_rows(bank, TEXTS)
        assert verify(bank).findings == ()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        n_killed += 1
    assert told == TEXTS
    assert n_killed > 50
