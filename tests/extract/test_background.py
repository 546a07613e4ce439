"""Writing beside the encoder, and a Ctrl-C in the middle of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from extract import extract
from features import Bank
from features.writer import BankWriter


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
