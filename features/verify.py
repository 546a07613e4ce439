"""Reading a whole bank and saying what is wrong with it; setting damage aside."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.blocks import bank_blocks
from features.commit import TEMPORARY, is_abandoned, log, sweep
from features.errors import BankError, CommitError, CorruptSegment
from features.format import COMMITS_LOG, DAMAGED, MANIFEST, RETIRED, SEGMENT_NAME
from features.index import INDEX, KeyIndex
from features.lock import REARRANGING, rearranging, swapping
from features.manifest import Manifest, read_manifest
from features.segment import Segment

_OURS = {MANIFEST, COMMITS_LOG, INDEX, RETIRED, DAMAGED, REARRANGING}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Parameters
    ----------
    kind
        ``damaged``, ``foreign``, ``missing``, ``stray`` or ``left behind``.
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


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What ``verify`` read, and what it found."""

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
        as lost, and drop a wrong index and what dead writers left, so that the next extraction
        fills exactly the gap.

    Raises
    ------
    NotABank
        When the folder holds no bank.
    BankError
        When repair is wanted and another process rearranges the bank.
    """
    folder = Path(path).absolute()
    manifest: Manifest | None = None
    findings: list[Finding] = []
    try:
        manifest = read_manifest(folder)
    except BankError as error:
        if not (folder / MANIFEST).exists():
            raise
        findings.append(Finding("damaged", MANIFEST, str(error)))
    logged = _logged(folder)
    keys, n_bytes = {}, 0
    for name in sorted(os.listdir(folder)):
        if SEGMENT_NAME.fullmatch(name):
            rows = f"{logged[name]} rows" if name in logged else "rows unknown"
            try:
                segment = _check(folder / name, manifest)
            except FileNotFoundError:
                continue  # compacted away under our eyes
            except CorruptSegment as error:
                kind = "foreign" if "another bank" in str(error) else "damaged"
                findings.append(Finding(kind, name, f"{rows}; {_reason(error)}"))
            else:
                keys[name] = segment.keys
                n_bytes += segment.size
        else:
            findings += _look_at(folder, name)
    findings += _index_findings(folder, keys)
    present = {*os.listdir(folder), *_listed(folder / RETIRED), *_listed(folder / DAMAGED)}
    for name, n in logged.items():
        if name not in present:
            findings.append(Finding("missing", name, f"{n} rows; listed in {COMMITS_LOG}"))
    repaired = tuple(_repair(folder, findings, logged)) if repair and findings else ()
    return VerifyReport(len(keys), sum(map(len, keys.values())), n_bytes, (*findings,), repaired)


def _check(path: Path, manifest: Manifest | None) -> Segment:
    """Hash a segment against its name, then read every dataset against its checksum."""
    match = SEGMENT_NAME.fullmatch(path.name)
    assert match is not None
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CorruptSegment(f"{path} cannot be read ({error.strerror})", path) from error
    if digest[:16] != match["sha16"]:
        raise CorruptSegment(
            f"{path} is not what was written: {path.stat().st_size} bytes whose hash is not the "
            "one in its name", path
        )  # fmt: skip
    if manifest is None:
        raise CorruptSegment(f"{path} cannot be judged without {MANIFEST}", path)
    segment = Segment(path, manifest.fingerprint, bank_blocks(manifest.setup))
    segment.check()
    return segment


def _reason(error: CorruptSegment) -> str:
    return str(error).removeprefix(str(error.path)).split(": run ")[0].strip()


def _look_at(folder: Path, name: str) -> Iterator[Finding]:
    """What is neither a segment nor one of the bank's own files."""
    if name.startswith((TEMPORARY, f".{MANIFEST}-", f".{INDEX}-")):
        if is_abandoned(folder / name):
            yield Finding("left behind", name, "by a writer that died before it committed")
    elif name not in _OURS:
        yield Finding("stray", name, "no file of a bank; move it elsewhere")


def _index_findings(folder: Path, keys: dict[str, np.ndarray]) -> Iterator[Finding]:
    """Whether the kept index says what the segments say."""
    if not (folder / INDEX).exists():
        return
    kept = KeyIndex.read(folder)
    if kept is None:
        yield Finding("damaged", INDEX, "derived, and not used")
        return
    index, sizes = kept
    if list(sizes) != sorted(keys)[: len(sizes)]:
        return  # of another time: nobody uses it
    truth = np.concatenate([keys[name] for name in sizes]) if sizes else index.keys[:0]
    right = np.array_equal(index.keys, truth) and not (index.find(truth) < 0).any()
    if not right or not np.array_equal(index.firsts(), KeyIndex.of([truth]).firsts()):
        yield Finding("damaged", INDEX, "says otherwise than the segments; derived")


def _logged(folder: Path) -> dict[str, int]:
    """Segments that the log says are there, with their rows."""
    there: dict[str, int] = {}
    try:
        text = (folder / COMMITS_LOG).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return there
    for line in text.splitlines():
        _, event, name, n = (line.split("\t") + [""] * 4)[:4]
        if event == "commit" and SEGMENT_NAME.fullmatch(name):
            there[name] = int(n) if n.isdigit() else 0
        elif event in ("retire", "set aside", "lost"):
            there.pop(name, None)
    return there


def _listed(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def _repair(folder: Path, findings: list[Finding], logged: dict[str, int]) -> Iterator[str]:
    place = folder / DAMAGED
    with rearranging(folder), swapping(folder):
        sweep(folder)
        for finding in findings:
            path = folder / finding.name
            try:
                if finding.name == INDEX:
                    path.unlink(missing_ok=True)
                    yield f"deleted {INDEX}, which is derived"
                elif finding.kind in ("damaged", "foreign") and finding.name != MANIFEST:
                    place.mkdir(exist_ok=True)
                    log(folder, "set aside", finding.name, logged.get(finding.name, 0))
                    os.rename(path, place / finding.name)
                    yield f"moved {finding.name} to {place}"
                elif finding.kind == "missing":
                    log(folder, "lost", finding.name, logged[finding.name])
                    yield f"noted {finding.name} as lost"
                elif finding.kind == "left behind":
                    yield f"removed {finding.name}"
            except OSError as error:
                raise CommitError(
                    f"could not set {path} aside ({error.strerror or error}): mend it and call "
                    "again; nothing was lost"
                ) from error
