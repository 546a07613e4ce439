"""What can be wrong with a bank, and what a look at its folder shows without reading it.

A look takes seconds where ``verify``, which reads every byte, takes hours.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.disk.atomic import TEMPORARY, is_abandoned
from features.disk.commit import REARRANGING
from features.disk.format import COMMITS_LOG, DAMAGED, MANIFEST, RETIRED, SEGMENT_NAME
from features.disk.index import INDEX
from features.disk.journal import Journal, read_journal
from features.disk.pending import DELETING, pending_keys, was_interrupted
from features.disk.system import read_errors

#: A bank's own files beside its segments.
_OURS = {MANIFEST, COMMITS_LOG, INDEX, RETIRED, DAMAGED, REARRANGING}

#: How long a writer may take between making a temporary file and locking it, seconds.
_JUST_MADE = 0.1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Parameters
    ----------
    kind
        ``damaged``, ``foreign``, ``missing``, ``stray``, ``left behind`` or ``unfinished``.
    name
        The file, within the bank.
    detail
        What it holds and what is wrong with it.
    """

    kind: str
    name: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.name} ({self.detail})"


def look_at(folder: Path, name: str) -> Iterator[Finding]:
    """What is neither a segment nor one of the bank's own files."""
    if name.startswith(TEMPORARY):
        if is_abandoned(folder / name):
            time.sleep(_JUST_MADE)
            if is_abandoned(folder / name):
                yield Finding("left behind", name, "by a writer that died before it committed")
    elif name == DELETING:
        if os.path.lexists(folder / name) and not (folder / name).is_file():
            yield Finding("stray", name, "no file where a delete would keep a list; remove it")
        elif was_interrupted(folder):
            n = len(pending_keys(folder))
            detail = (
                f"a delete{f' of {n:,} texts' if n else ''} was interrupted: call `layerbank "
                "delete` again with the same --rows, or remove this file to keep what is left"
            )
            yield Finding("unfinished", name, detail)
    elif name not in _OURS:
        yield Finding("stray", name, "no file of a bank; move it elsewhere")
    elif name in (RETIRED, DAMAGED) and not _is_own_folder(folder / name):
        yield Finding("stray", name, "a link or a file where a folder would be; move it elsewhere")


def _is_own_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def log_findings(folder: Path, journal: Journal) -> Iterator[Finding]:
    """What ``commits.log`` tells: lines beyond reading, and segments that are nowhere."""
    if journal.unreadable:
        yield Finding("damaged", COMMITS_LOG, f"{journal.unreadable}; advisory")
    if journal.n_damaged:
        detail = f"{journal.n_damaged} lines cannot be read; advisory"
        yield Finding("damaged", COMMITS_LOG, detail)
    present = {*listed(folder), *listed(folder / RETIRED), *listed(folder / DAMAGED)}
    for name, n in journal.rows.items():
        if name not in present:
            yield Finding("missing", name, f"{n} rows; listed in {COMMITS_LOG}")


def listed(folder: Path) -> list[str]:
    """Names of what is in a folder; none where there is none. BankError when it is unreadable."""
    with read_errors(folder):
        return os.listdir(folder) if folder.is_dir() else []


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
    findings, n_writing = [*damaged], 0
    for name in sorted(listed(folder)):
        if not SEGMENT_NAME.fullmatch(name):
            found = list(look_at(folder, name))
            findings += found
            n_writing += name.startswith(TEMPORARY) and not found
    findings += log_findings(folder, read_journal(folder))
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
