"""Texts out of a bank for good: their rows, and every copy of them in its folder.

Readers of format 1 know no mark that says "deleted", so each segment that holds such a row is
written anew without it, and the old file is unlinked. The new one is committed first: between the
two, the other rows stand there twice, which is allowed. So a kill at any step loses nothing else,
and the same call again goes on.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from features.bank import Bank
from features.disk.atomic import sweep
from features.disk.commit import commit, rearranging, swapping
from features.disk.format import segment_name
from features.disk.image import segment_image
from features.disk.index import INDEX, KeyIndex, Keys
from features.disk.journal import note, note_or_fail
from features.disk.layout import Layout
from features.disk.manifest import Manifest, read_manifest
from features.disk.pending import deleting, pending_keys
from features.disk.rescue import rescued_banks
from features.disk.segment import Segment
from features.disk.snapshot import segment_names
from features.disk.system import disk_errors, refuse_writing_banks, sync_folder
from features.errors import InputError
from features.upkeep.copies import Copy, Wanted, copies_of, index_holds, remove_copies
from features.upkeep.part import part_of


@dataclass(frozen=True, slots=True)
class Deleted:
    """What one bank lost, or would lose.

    Attributes
    ----------
    bank
        Its folder.
    n_rows, n_segments
        Rows, and the segments that held them.
    copies
        Files of ``retired/`` and ``damaged/``.
    linked
        Of all these files those whose bytes have another name, which stays.
    """

    bank: Path
    n_rows: int
    n_segments: int
    copies: tuple[Copy, ...]
    linked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeleteReport:
    """What ``delete`` did, or would do.

    Attributes
    ----------
    fingerprint
        The bank's.
    n_texts, n_found
        Different texts that were given, and how many of them were there.
    banks
        The bank, and those beside it that took in rows which it could not take.
    """

    fingerprint: str
    n_texts: int
    n_found: int
    banks: tuple[Deleted, ...]


def delete(path: str | Path, keys: Keys, *, dry_run: bool = False) -> DeleteReport:
    """Take texts out of a bank, and out of the banks that were rescued beside it.

    Writers and readers may go on meanwhile. What a writer commits before the end is looked through
    as well; who encodes the texts again adds them again.

    Parameters
    ----------
    path
        The bank's folder.
    keys
        Shape ``(n, 32)``: what :func:`features.text_keys` gives for the texts.
    dry_run
        Whether to say only what would be done.

    Raises
    ------
    InputError
        When there are no keys.
    BankError
        When another process rearranges the bank.
    CorruptSegment
        When a segment is damaged; nothing was changed.
    CommitError
        When there is no room, or the bank cannot be written; call again, and it goes on.
    """
    folder = Path(path).absolute()
    refuse_writing_banks(folder)
    manifest = read_manifest(folder)
    wanted = Wanted(keys)
    if not len(wanted):
        raise InputError("there is no text to delete: give a file with at least one")
    folders = [folder, *rescued_banks(folder, manifest)]
    with contextlib.ExitStack() as locks:
        if not dry_run:
            for each in folders:
                locks.enter_context(rearranging(each))
        # All are looked through before any is changed, so that damage stops it in time.
        plans = [_Plan.of(each, wanted) for each in folders]
        done = [plan.report() if dry_run else _carry_out(plan, wanted) for plan in plans]
    if not dry_run:
        for each in folders:
            Bank.open(each)  # keeps a new index where one is due
    return DeleteReport(
        manifest.fingerprint, len(wanted), int(wanted.found.sum()), (*done,)
    )  # fmt: skip


@dataclass(slots=True)
class _Plan:
    """What has to be done in one bank.

    Attributes
    ----------
    untouched
        Names of segments that hold none of the keys.
    """

    folder: Path
    manifest: Manifest
    segments: list[Segment] = field(default_factory=list)
    untouched: set[str] = field(default_factory=set)
    copies: list[Copy] = field(default_factory=list)
    index: bool = False
    pending: bool = False
    n_rows: int = 0
    n_segments: int = 0
    linked: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path, wanted: Wanted) -> _Plan:
        plan = cls(folder, read_manifest(folder))
        with disk_errors(folder):
            plan.look_again(wanted)
            plan.copies = copies_of(folder, wanted)
            plan.linked += [str(copy) for copy in plan.copies if copy.linked]
            plan.index = index_holds(folder, wanted)
            if plan.index and (folder / INDEX).is_symlink():
                plan.linked.append(INDEX)
            plan.pending = bool((KeyIndex.over(wanted.keys).find(pending_keys(folder)) >= 0).any())
        return plan

    def look_again(self, wanted: Wanted) -> bool:
        """Look through the segments that are new; whether any of them holds a key."""
        self.segments = []
        layout = Layout.of(self.manifest)
        for name in segment_names(self.folder):
            if name in self.untouched:
                continue
            segment = Segment(self.folder / name, layout)
            n_rows = int(wanted.among(segment.keys).sum())
            if n_rows:
                if n_rows < segment.n:  # what is kept must be whole, before anything changes
                    segment.check()
                    _ = segment.provenance
                self.segments.append(segment)
                self.n_rows += n_rows
                self.n_segments += 1
                if segment.path.is_symlink() or segment.path.stat().st_nlink > 1:
                    self.linked.append(name)
            else:
                self.untouched.add(name)
            segment.forget()
        return bool(self.segments)

    def report(self) -> Deleted:
        return Deleted(
            self.folder, self.n_rows, self.n_segments, (*self.copies,), (*self.linked,)
        )  # fmt: skip


def _carry_out(plan: _Plan, wanted: Wanted) -> Deleted:
    folder = plan.folder
    with disk_errors(folder):
        sweep(folder)
        if plan.segments or plan.copies or plan.index or plan.pending:
            with deleting(folder, wanted.keys):
                while plan.segments:
                    for segment in plan.segments:
                        _rewrite(folder, plan.manifest, segment, wanted)
                    plan.look_again(wanted)  # what writers committed meanwhile
                with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                    (folder / INDEX).unlink()
                remove_copies(folder, plan.copies)
    return plan.report()


def _rewrite(folder: Path, manifest: Manifest, segment: Segment, wanted: Wanted) -> None:
    """Put a segment without the wanted rows in a segment's place; of a link, in the link's."""
    name = segment.path.name
    keep = np.flatnonzero(~wanted.among(segment.keys))
    image = None
    if len(keep):
        image = segment_image(part_of(segment, keep), manifest, segment.provenance)
    with swapping(folder):
        if image is not None:
            # Of the same time, so that what a later segment repeats is still found here.
            made = name.split("-")[1]
            new = commit(folder, image, lambda sha256: segment_name(sha256, made))
            note(folder, "commit", new.name, len(keep))
        # A segment that is listed and gone would be taken for lost, now and for ever.
        note_or_fail(folder, "retire", name, segment.n)
        segment.path.unlink(missing_ok=True)
        sync_folder(folder)
    segment.forget()
