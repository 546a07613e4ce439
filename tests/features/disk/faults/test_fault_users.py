"""Two users of one machine write to one bank, each with a umask of their own."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from features import Bank
from features.errors import LayerbankError
from features.upkeep.compact import compact
from features.upkeep.verify import verify
from tests.features.disk.faults.rig import (
    SMALL,
    SOURCE,
    Acknowledged,
    check_rows,
    extract,
    real_findings,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two users")

#: Numbers of users that nobody has to have.
USERS = (54_321, 54_322)
TEXTS = [f"text {i}" for i in range(120)]

# What the server has loaded may stand where these users cannot read.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that all may write to, and can get at."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def _as_user(user: int, umask: int, folder: Path, texts: list[str], *, compacts: bool) -> None:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    os.umask(umask)
    acknowledge = Acknowledged(folder / f"acknowledged {user}")
    try:
        extract(folder / "a.bank", texts, batch=3, acknowledge=acknowledge)
        if compacts:
            compact(folder / "a.bank")
    except LayerbankError as error:  # a sentence: what the other wrote cannot be read
        os._exit(3 if "\n" in str(error) else 2)


@pytest.mark.parametrize("umasks", [(0o022, 0o002), (0o002, 0o077), (0o077, 0o022)])
@pytest.mark.parametrize("compacts", [False, True])
def test_nothing_is_lost(shared: Path, umasks: tuple[int, int], compacts: bool) -> None:
    Bank.create(shared / "a.bank", SMALL, SOURCE)
    (shared / "a.bank").chmod(0o777)
    running = [
        _context.Process(
            target=_as_user,
            args=(user, umask, shared, TEXTS[first::2]),
            kwargs={"compacts": compacts},
        )
        for first, (user, umask) in enumerate(zip(USERS, umasks, strict=True))
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
        assert process.exitcode in (0, 2)
    told = []
    for user in USERS:
        if (shared / f"acknowledged {user}").exists():
            log = Acknowledged(shared / f"acknowledged {user}")
            told += [text for some in log.batches() for text in some]
    assert told
    check_rows(shared / "a.bank", told, TEXTS)
    assert real_findings(verify(shared / "a.bank")) == []
    if 0o077 not in umasks and not compacts:  # nothing keeps one from what the other wrote
        assert [process.exitcode for process in running] == [0, 0]
        assert len(told) == len(TEXTS)
