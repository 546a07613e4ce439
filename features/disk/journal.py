"""``commits.log``: one line a commit or retirement. Advisory: it tells ``verify`` what is missing.

A line is time, event, segment, rows, and the XXH3 hash of these, separated by tabs.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import xxhash

from features.disk.format import COMMITS_LOG, SEGMENT_NAME
from features.disk.system import open_append, read_errors, read_file, release, write_all

logger = logging.getLogger(__name__)

_LINE = re.compile(
    r"(?P<entry>\d{4}-\d\d-\d\dT[\d:.]{8,15}\+00:00\t"
    r"(?P<event>commit|retire|set aside|lost)\t(?P<name>[^\t\n]+)\t(?P<n>\d+))"
    r"\t(?P<checksum>[0-9a-f]{16})"
)


@dataclass(frozen=True, slots=True)
class Journal:
    """What the log says: rows of each segment that should be there, and lines beyond reading.

    ``unreadable`` says why there is no reading it at all.
    """

    rows: dict[str, int]
    n_damaged: int
    unreadable: str | None = None


def note(folder: Path, event: str, name: str, n: int) -> None:
    """Append a line; a log that cannot be written is no failure."""
    try:
        note_or_fail(folder, event, name, n)
    except OSError as error:
        logger.warning(
            "could not note %s in %s (%s)", name, folder / COMMITS_LOG, error.strerror or error
        )


def note_or_fail(folder: Path, event: str, name: str, n: int) -> None:
    """Append a line; OSError where the log cannot be written."""
    line = memoryview(_line(datetime.now(UTC).isoformat(), event, name, n).encode())
    descriptor = open_append(folder / COMMITS_LOG)
    try:
        write_all(descriptor, line)  # a line cut short would spoil the next one too
    finally:
        release(descriptor)


def read_journal(folder: Path) -> Journal:
    """What the log says by now; BankError where it may not be read."""
    rows: dict[str, int] = {}
    try:
        text = read_file(folder / COMMITS_LOG).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return Journal(rows, 0)
    except PermissionError:
        with read_errors(folder / COMMITS_LOG):
            raise
    except OSError as error:
        return Journal(rows, 0, error.strerror or str(error))
    n_damaged = 0
    for line in text.splitlines():
        n_damaged += not _LINE.fullmatch(line)
        # A line that its writer could not finish runs into the next, which still counts.
        for match in _LINE.finditer(line):
            if _hash(match["entry"]) != match["checksum"]:
                n_damaged += 1
            elif match["event"] == "commit" and SEGMENT_NAME.fullmatch(match["name"]):
                rows[match["name"]] = int(match["n"])
            else:
                rows.pop(match["name"], None)
    return Journal(rows, n_damaged)


def journal_bytes(rows: dict[str, int]) -> bytes:
    """A log that says that these segments, and no others, are there."""
    now = datetime.now(UTC).isoformat()
    return "".join(_line(now, "commit", name, n) for name, n in rows.items()).encode()


def _line(time: str, event: str, name: str, n: int) -> str:
    entry = f"{time}\t{event}\t{name}\t{n}"
    return f"{entry}\t{_hash(entry)}\n"


def _hash(entry: str) -> str:
    return xxhash.xxh3_64_hexdigest(entry.encode())
