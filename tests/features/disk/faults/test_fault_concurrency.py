"""Writers, readers, compactions and kills, all on one bank at once."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import multiprocessing
import random
import signal
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features import Bank, text_keys
from features.errors import BankError
from features.upkeep.compact import compact
from features.upkeep.verify import verify
from tests.features.disk.faults.rig import (
    EVERYTHING,
    SMALL,
    SOURCE,
    Acknowledged,
    check_rows,
    extract,
    real_findings,
    truth,
)

N_READERS = 8
TEXTS = [f"text {i}" for i in range(3000)]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def _write(folder: Path, seed: int, until: float) -> None:
    rng = random.Random(seed)
    acknowledge = Acknowledged(folder / f"acknowledged {seed}")
    while time.time() < until:
        # Overlapping, and not known to each other: the same text may be added twice.
        some = rng.sample(TEXTS, rng.randrange(1, 12))
        extract(folder / "a.bank", some, batch=4, acknowledge=acknowledge)


def _read(folder: Path, seed: int, until: float) -> None:
    rng = random.Random(seed)
    bank = Bank.open(folder / "a.bank")
    n_read = 0
    while not n_read or time.time() < until:
        if rng.random() < 0.3:
            bank.refresh()
        some = [*TEXTS[:20], *rng.sample(TEXTS, 200)]
        there = [text for text, known in zip(some, bank.contains(some), strict=True) if known]
        np.testing.assert_array_equal(bank.matrix(there, EVERYTHING), truth(there).reshape(-1, 4))
        n_read += len(there)


def _compact(folder: Path, seed: int, until: float) -> None:
    rng = random.Random(seed)
    while time.time() < until:
        time.sleep(rng.random() * 0.2)
        # Another one may be at it: then this one is refused.
        with contextlib.suppress(BankError):
            compact(folder / "a.bank", segment_bytes=rng.choice([2_000, 1 << 20]))


def _refuse_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def _guarded(task: Any, folder: Path, seed: int, until: float, locks: bool) -> None:
    try:
        if not locks:
            fcntl.flock = _refuse_locks
        task(folder, seed, until)
    except BaseException:
        (folder / f"failed {task.__name__} {seed}").write_text(traceback.format_exc())
        raise


def _at_once(
    folder: Path, seconds: float, *, n_writers: int = 4, n_compacting: int = 2, locks: bool = True
) -> int:
    """How many processes were killed while all went on; nothing is lost, and nothing wrong."""
    Bank.create(folder / "a.bank", SMALL, SOURCE)
    extract(folder / "a.bank", TEXTS[:20])
    first = _context.Process(target=time.sleep, args=(0,))  # the server imports for seconds
    first.start()
    first.join()
    until = time.time() + seconds
    rng = random.Random(5)
    tasks = [_write] * n_writers + [_compact] * n_compacting + [_read] * N_READERS
    running = {}
    seeds = iter(range(1_000_000))

    def start(task: Any) -> None:
        seed = next(seeds)
        process = _context.Process(target=_guarded, args=(task, folder, seed, until, locks))
        process.start()
        running[seed] = (task, process)

    for task in tasks:
        start(task)
    n_killed = 0
    while time.time() < until - 1:
        time.sleep(0.1)
        victims = [seed for seed, (task, _) in running.items() if task is not _read]
        seed = rng.choice(victims)
        task, process = running.pop(seed)
        process.kill()
        process.join()
        n_killed += process.exitcode == -signal.SIGKILL
        start(task)
    for _, process in running.values():
        process.join(60)
        assert process.exitcode is not None, "a process hangs"
    failures = [path.read_text() for path in folder.glob("failed *")]
    assert not failures, failures[0]
    assert all(process.exitcode == 0 for _, process in running.values())
    logs = [Acknowledged(path) for path in folder.glob("acknowledged *")]
    told = [text for log in logs for some in log.batches() for text in some]
    assert told  # of a loaded machine no more can be asked
    assert n_killed
    bank = folder / "a.bank"
    check_rows(bank, told, TEXTS)
    assert real_findings(verify(bank)) == []
    compact(bank)
    check_rows(bank, told, TEXTS)
    assert verify(bank).findings == ()
    keys = np.concatenate([segment.keys for segment in Bank.open(bank).segments])
    assert len(np.unique(keys, axis=0)) == len(keys) == Bank.open(bank).contains(TEXTS).sum()
    assert {key.tobytes() for key in text_keys(told)} <= {key.tobytes() for key in keys}
    return n_killed


def test_everything_at_once_for_10_seconds(tmp_path: Path) -> None:
    _at_once(tmp_path, 10)


@pytest.mark.slow
def test_everything_at_once_for_two_minutes(tmp_path: Path) -> None:
    assert _at_once(tmp_path, 120, n_writers=6) >= 300


def test_writers_need_no_locks(tmp_path: Path) -> None:
    """Some network file systems have none; there, one host at a time compacts."""
    _at_once(tmp_path, 5, n_compacting=0, locks=False)


def test_a_reader_opened_before_a_compaction_finishes(tmp_path: Path) -> None:
    path = tmp_path / "a.bank"
    extract(path, TEXTS[:12], batch=2)
    early = Bank.open(path)
    assert compact(path).n_after == 1
    np.testing.assert_array_equal(early.matrix(TEXTS[:12], EVERYTHING), truth(TEXTS[:12]))
    late = Bank.open(path)
    extract(path, TEXTS[12:20])
    compact(path)
    for retired in (path / "retired").iterdir():
        retired.unlink()  # a day later
    np.testing.assert_array_equal(late.matrix(TEXTS[:12], EVERYTHING), truth(TEXTS[:12]))


def test_a_second_compaction_is_refused(tmp_path: Path) -> None:
    from features.disk.commit import rearranging

    extract(tmp_path / "a.bank", TEXTS[:4])
    with rearranging(tmp_path / "a.bank"):
        with pytest.raises(BankError, match="another process is compacting"):
            compact(tmp_path / "a.bank")
        with pytest.raises(BankError, match="another process is compacting"):
            (tmp_path / "a.bank" / "keys.index").write_text("wrong")
            verify(tmp_path / "a.bank", repair=True)
