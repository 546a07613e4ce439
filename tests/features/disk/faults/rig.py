"""What the fault tests share: a small bank, its truth, and input and output that fail on demand."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from features import Bank, text_keys
from features.upkeep.verify import VerifyReport, verify
from tests.made_up import SETUP, SOURCE, values_of

#: Few blocks and columns: a segment is 40 KB, nearly all of it metadata and alignment.
SMALL = {**SETUP, "poolings": ["mean"], "pooler": False, "n_layers": 2, "hidden_size": 2}
TEXTS = [f"text {i}" for i in range(6)]
PROVENANCE = {"engine": "made up"}
EVERYTHING = "*[:]"


def truth(texts: Sequence[str], setup: dict[str, Any] = SMALL) -> np.ndarray:
    """The matrix that a bank of these texts must give."""
    return np.array([values_of(text, setup).ravel() for text in texts], np.float32)


def extract(
    path: Path,
    texts: Sequence[str] = TEXTS,
    *,
    batch: int = 3,
    acknowledge: Callable[[Sequence[str]], None] = lambda texts: None,
) -> int:
    """Extract as stage 1 does, a commit a batch; how many texts were encoded."""
    bank = Bank.create(path, SMALL, SOURCE)
    there = bank.contains(texts)
    todo = [text for text, known in zip(texts, there, strict=True) if not known]
    with bank.writer(PROVENANCE) as writer:
        for start in range(0, len(todo), batch):
            some = todo[start : start + batch]
            blocks = np.stack([values_of(text, SMALL) for text in some])
            n_tokens = np.array([len(text) for text in some], np.int32)
            writer.add(text_keys(some), n_tokens, n_tokens > 6, blocks)
            writer.flush()
            acknowledge(some)
    return len(todo)


_fsync = os.fsync


class Acknowledged:
    """A log, outside the bank and synced, of the texts that were promised to be safe."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, texts: Sequence[str]) -> None:
        with open(self.path, "a") as file:  # io.open may be made to fail
            file.write(json.dumps(list(texts)) + "\n")
            file.flush()
            _fsync(file.fileno())

    def batches(self) -> list[list[str]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        # The last line may be torn: then nobody was told.
        return [json.loads(line) for line in lines if line.endswith("]")]


def check_rows(path: Path, must_hold: Sequence[str], texts: Sequence[str] = TEXTS) -> list[str]:
    """Everything in the bank is bit-equal to the truth, and ``must_hold`` is in it."""
    if not (path / "bank.json").exists():
        assert not must_hold
        return []
    bank = Bank.open(path)
    there = [text for text, known in zip(texts, bank.contains(texts), strict=True) if known]
    assert set(must_hold) <= set(there)
    assert bank.n_texts == len(there)
    np.testing.assert_array_equal(bank.matrix(there, EVERYTHING), truth(there).reshape(-1, 4))
    np.testing.assert_array_equal(bank.n_tokens(there), [len(text) for text in there])
    np.testing.assert_array_equal(bank.truncated(there), [len(text) > 6 for text in there])
    return there


def real_findings(report: VerifyReport) -> list[str]:
    """Findings that concern rows: not what the dead left to do, nor a torn advisory log."""
    return [
        str(finding)
        for finding in report.findings
        if finding.kind not in ("left behind", "unfinished") and finding.name != "commits.log"
    ]


def assert_sound(path: Path) -> None:
    """Nothing wrong was committed."""
    if (path / "bank.json").exists():
        assert real_findings(verify(path)) == []


class Killed(BaseException):
    """Stands for SIGKILL: from here on nothing that the process does reaches the disk."""


#: What may fail, and how.
SHORT = -1
FAILURES: dict[str, list[int]] = {
    "open": [errno.EMFILE, errno.ENOSPC],
    "write": [errno.ENOSPC, errno.EIO, SHORT],
    "pread": [errno.EIO],
    "fsync": [errno.EIO, errno.ENOSPC],
    "rename": [errno.EIO, errno.ENOSPC],
    "replace": [errno.EIO],
    "link": [errno.EIO, errno.EMLINK],
    "unlink": [errno.EIO],
    "mkdir": [errno.ENOSPC],
    "utime": [errno.EIO],
    "flock": [errno.ENOLCK],
    "listdir": [errno.EMFILE],
    "close": [errno.EIO],
}


class Faults:
    """Counts the process's I/O operations while it is entered, and meddles with one of them.

    Parameters
    ----------
    at
        Which operation, from 1; 0 leaves all alone.
    how
        ``kill`` (a simulated one), ``sigkill`` (a real one), ``tear`` (a write stops half-way and
        then comes the kill), or the number of a failure among ``FAILURES`` of the operation.
    for_good
        Whether operations of that name go on failing.
    """

    def __init__(self, at: int = 0, how: str | int = "kill", *, for_good: bool = False) -> None:
        self.at, self.how, self.for_good = at, how, for_good
        self.names: list[str] = []
        self.met: str | None = None
        self.dead = False

    def __enter__(self) -> Self:
        places: list[tuple[Any, str]] = [(io, "open"), (fcntl, "flock")]
        places += [(os, name) for name in FAILURES if name != "flock"]
        self._real = [(module, name, getattr(module, name)) for module, name in places]
        for module, name, real in self._real:
            setattr(module, name, self._wrapped(name, real))
        return self

    def __exit__(self, *_: object) -> None:
        for module, name, real in self._real:
            setattr(module, name, real)

    def _wrapped(self, name: str, real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if self.dead:
                if name == "close":  # the system closes what a dead process held
                    return real(*arguments)
                raise Killed
            self.names.append(name)
            first = len(self.names) == self.at
            if first:
                self.met = name
            if first or (self.for_good and name == self.met):
                return self._fail(name, real, arguments, options)
            return real(*arguments, **options)

        return call

    def _fail(self, name: str, real: Any, arguments: Any, options: Any) -> Any:
        if self.how == "sigkill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "tear" and name == "write":
            descriptor, data = arguments
            real(descriptor, bytes(data)[: len(data) // 2])
        if isinstance(self.how, str):
            self.dead = True
            if name == "close":
                real(*arguments)
            raise Killed
        failures = FAILURES[name]
        code = failures[self.how % len(failures)]
        if code == SHORT:
            descriptor, data = arguments
            return real(descriptor, bytes(data)[: max(1, len(data) // 2)])
        if name == "close":
            real(*arguments)  # the descriptor is gone even so
        raise OSError(code, os.strerror(code))
