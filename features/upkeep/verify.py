"""Reading a whole bank and saying what is wrong with it."""

from __future__ import annotations

import errno
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from itertools import accumulate
from pathlib import Path

import numpy as np

from features.disk.format import MANIFEST, SEGMENT_NAME
from features.disk.header import header_of, read_header
from features.disk.index import INDEX, KeyIndex, Keys
from features.disk.journal import read_journal
from features.disk.layout import Layout
from features.disk.manifest import Manifest, checked_manifest, read_manifest
from features.disk.mapped import MappedFile
from features.disk.segment import Segment, SnapshotMoved
from features.disk.system import NO_FILE, open_read, read_errors
from features.errors import BankError, CorruptSegment, NotABank
from features.paths import as_path
from features.upkeep.findings import Finding, listed, log_findings, look_at
from features.upkeep.repair import repair_bank


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What ``verify`` read, what it found, and what ``--repair`` did about it."""

    n_segments: int
    n_rows: int
    n_bytes: int
    findings: tuple[Finding, ...]
    repaired: tuple[str, ...] = ()


def verify(path: str | Path, *, repair: bool = False) -> VerifyReport:
    """Read everything in a bank and compare it with what was written.

    Parameters
    ----------
    path
        The bank's folder.
    repair
        Move damaged and foreign segments to ``damaged/`` (nothing is deleted), note missing ones
        as lost, restore ``bank.json`` and ``commits.log`` from the segments, and drop a wrong
        index and what dead writers left, so that the next extraction fills exactly the gap.

    Raises
    ------
    NotABank
        When the folder holds no bank.
    BankError
        When something cannot be read for want of rights or of file descriptors, or repair is
        wanted and another process rearranges the bank.
    """
    folder = as_path(path).absolute()
    findings: list[Finding] = []
    try:
        manifest: Manifest | None = read_manifest(folder)
    except BankError as error:
        manifest = manifest_of_segments(folder)
        if not (folder / MANIFEST).exists():
            if manifest is None:
                raise
            findings.append(Finding("missing", MANIFEST, "every segment holds a copy"))
        elif isinstance(error, NotABank) and "format version" in str(error) and manifest is None:
            raise
        else:
            findings.append(Finding("damaged", MANIFEST, str(error)))
    journal = read_journal(folder)
    index = IndexCheck(folder)
    sizes: dict[str, int] = {}
    n_bytes = 0
    for name in sorted(listed(folder)):
        if SEGMENT_NAME.fullmatch(name):
            rows = f"{journal.rows[name]} rows" if name in journal.rows else "rows unknown"
            try:
                segment = _check(folder / name, manifest)
            except SnapshotMoved:
                continue  # compacted away under our eyes
            except CorruptSegment as error:
                kind = "foreign" if "another bank" in str(error) else "damaged"
                findings.append(Finding(kind, name, f"{rows}; {_reason(error)}"))
            else:
                index.compare(name, segment.keys)
                sizes[name] = segment.n
                n_bytes += segment.size
        else:
            findings += look_at(folder, name)
    findings += [*index.findings(sizes), *log_findings(folder, journal)]
    repaired = tuple(repair_bank(folder, findings, manifest)) if repair and findings else ()
    return VerifyReport(len(sizes), sum(sizes.values()), n_bytes, (*findings,), repaired)


def manifest_of_segments(folder: Path) -> Manifest | None:
    """The manifest that most of a folder's segments hold a copy of; None when none does."""
    found: Counter[str] = Counter()
    manifests: dict[str, Manifest] = {}
    for name in listed(folder):
        if not SEGMENT_NAME.fullmatch(name):
            continue
        try:
            manifest = checked_manifest(read_header(MappedFile(folder / name).view()))
        except (OSError, ValueError):
            continue
        found[manifest.fingerprint] += 1
        manifests.setdefault(manifest.fingerprint, manifest)
    return manifests[found.most_common(1)[0][0]] if found else None


def _check(path: Path, manifest: Manifest | None) -> Segment:
    """Hash a segment against its name, then read every dataset against its checksum."""
    match = SEGMENT_NAME.fullmatch(path.name)
    assert match is not None
    try:
        with read_errors(path), open(open_read(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = _digest(file, size)
    except FileNotFoundError:
        if path.is_symlink():
            raise CorruptSegment(f"{path} is a link that leads to nothing", path) from None
        raise SnapshotMoved(path) from None
    except BankError as error:
        number = getattr(error.__cause__, "errno", None)
        if number in NO_FILE:
            raise CorruptSegment(f"{path} is no regular file", path) from None
        if number != errno.EIO:
            raise  # for want of rights, say: nothing is known of the file itself
        raise CorruptSegment(f"{path} cannot be read (Input/output error)", path) from error
    if digest[:16] != match["sha16"]:
        raise CorruptSegment(
            f"{path} is not what was written: {size} bytes whose hash is not the one in its name",
            path,
        )
    if manifest is None:
        raise CorruptSegment(f"{path} cannot be judged without {MANIFEST}", path)
    segment = Segment(path, Layout.of(manifest))
    segment.check()
    return segment


def _digest(file: BufferedReader, size: int) -> str:
    """SHA-256, in hexadecimal; of a file that says that its size is another, nothing.

    What is no segment may be of any size, and hashing it take for ever.
    """
    try:
        if header_of(file).get("size") != size:
            return ""
    except ValueError:
        return ""
    return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: CorruptSegment) -> str:
    return str(error).removeprefix(str(error.path)).split(": run ")[0].strip()


class IndexCheck:
    """Whether the kept index says what the segments say, looked at one at a time."""

    def __init__(self, folder: Path) -> None:
        self._exists = os.path.lexists(folder / INDEX)
        self._kept = KeyIndex.read(folder) if self._exists else None
        self._starts: dict[str, int] = {}
        if self._kept is not None:
            names, sizes = [*self._kept[1]], [*self._kept[1].values()]
            self._starts = dict(zip(names, accumulate(sizes, initial=0), strict=False))
        self._right = True

    def compare(self, name: str, keys: Keys) -> None:
        """Take in a segment's keys."""
        if self._kept is not None and name in self._starts:
            index, start = self._kept[0], self._starts[name]
            self._right &= np.array_equal(index.keys[start : start + len(keys)], keys)

    def findings(self, segments: Mapping[str, int]) -> Iterator[Finding]:
        """What is wrong with it, given the rows of the whole segments, in order of names."""
        if not self._exists:
            return
        if self._kept is None:
            yield Finding("damaged", INDEX, "derived, and not used")
            return
        index, sizes = self._kept
        if list(sizes) != list(segments)[: len(sizes)]:
            return  # of another time: nobody uses it
        same = all(segments[name] == n for name, n in sizes.items())
        if not (self._right and same and index.is_sound()):
            yield Finding("damaged", INDEX, "says otherwise than the segments; derived")
