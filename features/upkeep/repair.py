"""Setting aside what ``verify`` found to be wrong; no segment is deleted."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from features.disk.atomic import locked_temporary, sweep
from features.disk.commit import rearranging, swapping
from features.disk.format import COMMITS_LOG, DAMAGED, MANIFEST, SEGMENT_NAME
from features.disk.index import INDEX
from features.disk.journal import journal_bytes, note, read_journal
from features.disk.layout import Layout
from features.disk.manifest import Manifest, publish_manifest
from features.disk.own_folder import OwnFolder
from features.disk.segment import Segment
from features.disk.system import disk_errors, sync, sync_folder, write_all
from features.errors import BankError
from features.upkeep.findings import Finding


def repair_bank(
    folder: Path, findings: Sequence[Finding], manifest: Manifest | None
) -> Iterator[str]:
    """Act on what ``verify`` found; a line on each thing done.

    Parameters
    ----------
    folder
        The bank's.
    findings
        Of ``verify``.
    manifest
        As read, or as the segments hold it; without one, segments stay where they are.

    Raises
    ------
    CommitError
        When the disk refuses; call again.
    """
    with rearranging(folder), disk_errors(folder):
        if any(finding.name == MANIFEST for finding in findings):
            if manifest is None:
                raise BankError(
                    f"{folder / MANIFEST} cannot be restored, since no segment holds a whole copy "
                    "of it: put back a copy of your own"
                )
            yield from _restore_manifest(folder, manifest)
        with swapping(folder):
            sweep(folder)
            for finding in findings:
                yield from _mend(folder, finding)
            if any(finding.name == COMMITS_LOG for finding in findings):
                assert manifest is not None
                yield _renew_journal(folder, manifest)
            sync_folder(folder)


def _restore_manifest(folder: Path, manifest: Manifest) -> Iterator[str]:
    if os.path.lexists(folder / MANIFEST):
        yield _set_aside(folder, MANIFEST)
    publish_manifest(folder, manifest.setup, manifest.source)
    yield f"restored {MANIFEST} from the copy in the segments"


def _mend(folder: Path, finding: Finding) -> Iterator[str]:
    name = finding.name
    rows = read_journal(folder).rows.get(name, 0)
    if name == INDEX and (folder / INDEX).is_dir():
        yield _set_aside(folder, name)
    elif name == INDEX:
        (folder / INDEX).unlink(missing_ok=True)
        yield f"deleted {INDEX}, which is derived"
    elif finding.kind == "left behind":
        yield f"removed {name}"
    elif SEGMENT_NAME.fullmatch(name) and finding.kind == "missing":
        note(folder, "lost", name, rows)
        yield f"noted {name} as lost"
    elif SEGMENT_NAME.fullmatch(name) and os.path.lexists(folder / name):
        note(folder, "set aside", name, rows)
        yield _set_aside(folder, name)


def _set_aside(folder: Path, name: str) -> str:
    """Move what has a name, of a link the link itself, to ``damaged/``."""
    with OwnFolder(folder / DAMAGED, make=True) as damaged:
        there = {*damaged.names()}
        again = (f"{name}.{number}" for number in itertools.count())
        new = next(each for each in itertools.chain([name], again) if each not in there)
        damaged.take_in(folder / name, new)
    return f"moved {name} to {folder / DAMAGED / new}"


def _renew_journal(folder: Path, manifest: Manifest) -> str:
    """Keep the log that cannot be read, and write one of what is there."""
    layout = Layout.of(manifest)
    rows = {
        name: Segment(folder / name, layout).n
        for name in sorted(os.listdir(folder))
        if SEGMENT_NAME.fullmatch(name)
    }
    with locked_temporary(folder) as (descriptor, temporary):
        write_all(descriptor, memoryview(journal_bytes(rows)))
        sync(descriptor)
        moved = _set_aside(folder, COMMITS_LOG)
        os.rename(temporary, folder / COMMITS_LOG)
    return f"{moved}, and wrote another from the segments"
