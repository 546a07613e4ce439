"""What can be seen of a bank's health without reading it: seconds where ``verify`` takes hours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from features.commit import TEMPORARY
from features.format import COMMITS_LOG, DAMAGED, RETIRED, SEGMENT_NAME
from features.journal import read_journal
from features.mapped import read_errors
from features.verify import Finding, look_at


@dataclass(frozen=True, slots=True)
class Aside:
    """Segments in a folder of their own, ``retired/`` or ``damaged/``."""

    n: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Health:
    """What a look at the folder shows.

    Attributes
    ----------
    findings
        What is wrong, as ``verify`` would say it; ``verify`` may find more, since it reads all.
    n_writing
        Segments that are being written at this moment.
    retired, set_aside
        What ``compact`` replaced, and what ``verify --repair`` set aside.
    free_bytes
        Room on the disk, for a user without privileges.
    """

    findings: tuple[Finding, ...]
    n_writing: int
    retired: Aside
    set_aside: Aside
    free_bytes: int


def look(folder: Path, damaged: Sequence[Finding] = ()) -> Health:
    """A look at a bank's folder.

    Parameters
    ----------
    damaged
        What is known to be damaged.
    """
    with read_errors(folder):
        names = sorted(os.listdir(folder))
    findings, n_writing = [*damaged], 0
    for name in names:
        if not SEGMENT_NAME.fullmatch(name):
            found = list(look_at(folder, name))
            findings += found
            n_writing += name.startswith(TEMPORARY) and not found
    journal = read_journal(folder)
    if journal.n_damaged:
        detail = f"{journal.n_damaged} lines cannot be read; advisory"
        findings.append(Finding("damaged", COMMITS_LOG, detail))
    here = {*names, *_names(folder / RETIRED), *_names(folder / DAMAGED)}
    findings += [
        Finding("missing", name, f"{n} rows; listed in {COMMITS_LOG}")
        for name, n in journal.rows.items()
        if name not in here
    ]
    return Health(
        findings=(*findings,),
        n_writing=n_writing,
        retired=_aside(folder / RETIRED),
        set_aside=_aside(folder / DAMAGED),
        free_bytes=shutil.disk_usage(folder).free,
    )


def _aside(folder: Path) -> Aside:
    if not folder.is_dir():
        return Aside(0, 0)
    sizes = [entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()]
    return Aside(len(sizes), sum(sizes))


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []
