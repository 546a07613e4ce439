"""Writing beside the encoder, in one thread and in several, and a Ctrl-C in the middle of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extract import extract
from extract.background import BackgroundWriter
from extract.engines.torch_engine import N_WRITERS
from features import Bank, text_keys
from features.disk.writer import BankWriter
from features.errors import CommitError
from tests.extract.plain import banked_blocks
from tests.made_up import SETUP, SOURCE, values_of

TEXTS = [f"text {i}" for i in range(40)]


@pytest.fixture
def made_up(bank: Path) -> Bank:
    return Bank.create(bank, SETUP, SOURCE)


@pytest.fixture
def several(made_up: Bank) -> Callable[..., BackgroundWriter]:
    """A writer of three threads at most, with room for one batch in its queue."""

    def new(idle_seconds: float = 5.0, **options: Any) -> BackgroundWriter:
        new_writer = partial(made_up.writer, {}, **options)
        return BackgroundWriter(new_writer, 1, 3, idle_seconds=idle_seconds)

    return new


def add(writer: BackgroundWriter, text: str) -> None:
    n_tokens = np.ones(1, np.int32)
    writer.add(text_keys([text]), n_tokens, n_tokens == 0, values_of(text)[None])


def slowly(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """A disk that takes its time; which threads have written to it."""
    commit = BankWriter._commit
    threads: set[str] = set()

    def slow(self: BankWriter, *rows: Any) -> None:
        threads.add(threading.current_thread().name)
        time.sleep(0.05)
        commit(self, *rows)

    monkeypatch.setattr(BankWriter, "_commit", slow)
    return threads


def n_threads() -> int:
    return sum(thread.name.startswith("bank-writer") for thread in threading.enumerate())


def assert_whole(bank: Bank, texts: list[str]) -> None:
    """Every text once, with its own numbers."""
    bank.refresh()
    assert bank.n_texts == sum(segment.n for segment in bank.segments) == len(texts)
    for text in texts:
        found = bank.matrix([text], "*[:]+pooler")[0]
        np.testing.assert_array_equal(found, values_of(text).ravel())


def test_threads_join_where_one_does_not_keep_up(
    several: Callable[..., BackgroundWriter], made_up: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(monkeypatch)
    seen = []
    with several(segment_bytes=1) as writer:
        assert n_threads() == 1
        for text in TEXTS:
            add(writer, text)
            seen.append(n_threads())
    assert max(seen) == 3
    assert n_threads() == 0
    assert writer.n_committed == len(TEXTS)
    assert_whole(made_up, TEXTS)


def test_one_thread_that_keeps_up_stays_alone(
    several: Callable[..., BackgroundWriter], made_up: Bank
) -> None:
    with several() as writer:
        for text in TEXTS[:10]:
            add(writer, text)
            while writer._queue:
                time.sleep(0.001)
        assert n_threads() == 1
    assert_whole(made_up, TEXTS[:10])
    assert len(made_up.segments) == 1


def test_flush_is_of_all_threads(
    several: Callable[..., BackgroundWriter], made_up: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(monkeypatch)
    flushed: list[int] = []
    with several(segment_bytes=2000) as writer:
        for half in (TEXTS[:20], TEXTS[20:]):
            for text in half:
                add(writer, text)
            writer.flush(lambda: flushed.append(writer.n_committed))
    assert flushed[0] >= 20
    assert flushed[1] == 40
    assert_whole(made_up, TEXTS)


def test_ctrl_c_in_a_flush_leaves_no_thread_waiting(
    several: Callable[..., BackgroundWriter], made_up: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(monkeypatch)
    later = BackgroundWriter._later
    with pytest.raises(KeyboardInterrupt), several(segment_bytes=1) as writer:
        for text in TEXTS:
            add(writer, text)
        n_flushes: list[int] = []

        def interrupted(self: BackgroundWriter, work: Any) -> None:
            n_flushes.append(1)
            if len(n_flushes) == 2:
                raise KeyboardInterrupt
            later(self, work)

        monkeypatch.setattr(BackgroundWriter, "_later", interrupted)
        writer.flush(lambda: pytest.fail("not all was flushed"))
    assert n_threads() == 0
    assert_whole(made_up, TEXTS)


def test_a_failure_in_one_thread_is_raised_and_the_others_keep_theirs(
    several: Callable[..., BackgroundWriter], made_up: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(monkeypatch)
    commit = BankWriter._commit
    commits: list[BankWriter] = []

    def failing(self: BankWriter, *rows: Any) -> None:
        commits.append(self)
        if len(commits) > 5 and self is commits[0]:
            raise CommitError("no room")
        commit(self, *rows)

    monkeypatch.setattr(BankWriter, "_commit", failing)
    given = []
    with pytest.raises(CommitError, match="no room"), several(segment_bytes=1) as writer:
        for text in TEXTS * 10:
            add(writer, text)
            given.append(text)
    assert len(given) < 10 * len(TEXTS)
    assert n_threads() == 0
    made_up.refresh()
    assert writer.n_committed == sum(segment.n for segment in made_up.segments) >= 3


def test_what_is_old_is_committed_though_nothing_comes(
    several: Callable[..., BackgroundWriter], made_up: Bank
) -> None:
    with several(idle_seconds=0.02, segment_seconds=0.1) as writer:
        add(writer, "one")
        ends = time.monotonic() + 30
        while not writer.n_committed and time.monotonic() < ends:
            time.sleep(0.01)
        assert_whole(made_up, ["one"])


def test_several_threads_make_the_bank_of_one(
    encoder: Path, bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = bank.with_name("alone.bank")
    options: dict[str, Any] = {"encoder": str(encoder), "engine": "torch", "device": "cpu"}
    extract(TEXTS, alone, **options)
    monkeypatch.setitem(N_WRITERS, "cpu", 4)
    threads = slowly(monkeypatch)
    writer = Bank.writer
    monkeypatch.setattr(Bank, "writer", lambda *given, **_: writer(*given, segment_bytes=1))
    report = extract(TEXTS, bank, batch_tokens=1, **options)
    assert report.n_new == len(TEXTS)
    assert 2 <= len(threads) <= 4
    assert len(Bank.open(bank).segments) == len(TEXTS)
    np.testing.assert_allclose(
        banked_blocks(bank, TEXTS), banked_blocks(alone, TEXTS), rtol=0.05, atol=0.05
    )


@pytest.mark.skipif(os.name == "nt", reason="signals to one thread are POSIX's")
def test_ctrl_c_during_the_last_commit_loses_nothing(
    encoder: Path, bank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["the river froze", "the ferry stood in the ice"]
    commit = BankWriter._commit

    def interrupted(self: BankWriter, *rows: Any) -> None:
        main_thread = threading.main_thread().ident
        assert main_thread is not None
        signal.pthread_kill(main_thread, signal.SIGINT)
        time.sleep(0.5)
        commit(self, *rows)

    monkeypatch.setattr(BankWriter, "_commit", interrupted)
    # Tests that were started in the background would not hear of it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            extract(texts, bank, encoder=str(encoder), engine="torch", device="cpu")
    finally:
        signal.signal(signal.SIGINT, before)
    assert Bank.open(bank).contains(texts).all()
