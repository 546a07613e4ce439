"""Where else texts stand: other banks, and runs that were trained on them.

A delete changes one bank. What runs and other banks hold is only listed: whose they are, and
whether they may change, is for their owner to say. Their files are read as a stranger's: nothing
that they name is opened, and no link is followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import mmap
import os
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.bank import Bank, is_bank
from features.disk.format import MANIFEST
from features.disk.index import KeyIndex, Keys
from features.disk.schema import Whole, parse_json, refuse_other
from features.disk.system import LARGEST_TEXT, open_read, read_file, release
from features.errors import BankError
from features.keys import KEY_SIZE

#: How deep the folders are looked through that nobody named, and those within runs.
DEPTH, SCRATCH_DEPTH = 2, 2

#: A run's own files that are looked at.
_RUN, _KEYS, _MODELS, _OOF = "run.json", "keys.npz", "models", "oof.csv"
_REPORTS = ("report.html", "report.json")

#: What a ``run.json`` must hold to be listed.
_SHAPE: dict[str, Any] = {
    "format": str,
    "banks": [{"fingerprint": str}],
    "texts": {"n": Whole(0, 1 << 40), "keys": str},
}

#: What a damaged archive raises.
_DAMAGE = (KeyError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)

#: The array in `_KEYS`, and bytes of its header at the most.
_KEYS_MEMBER, _HEADER_SIZE = "keys.npy", 4096

#: The array of a model that keeps rows of its training texts, as its file names it.
_SUPPORT = b"support.npy"


@dataclass(frozen=True, slots=True)
class Holder:
    """A bank or a run that holds texts, or may.

    Attributes
    ----------
    path
        Its folder.
    is_run
        Whether it is a run, and no bank.
    n
        How many of the texts it holds; None where it does not say.
    keeps
        What a run keeps of its training texts.
    """

    path: Path
    is_run: bool
    n: int | None
    keeps: tuple[str, ...] = ()


def holders_of(
    keys: Keys,
    fingerprint: str,
    *,
    near: Sequence[Path] = (),
    also: Sequence[Path] = (),
    but: Collection[Path] = (),
) -> list[Holder]:
    """The banks that hold any of these texts, and the runs that were trained on them.

    Parameters
    ----------
    keys
        The texts', shape ``(n, 32)``; each counts once.
    fingerprint
        Of the bank: a run that keeps no list of its texts counts where it was trained on such a
        one.
    near, also
        Folders to look in: ``near`` to a depth of two, ``also`` all the way down.
    but
        Banks that are known already.
    """
    keys = np.unique(keys, axis=0)
    wanted = KeyIndex.over(keys)
    passed_over = {path.resolve() for path in but}
    found: dict[Path, Holder | None] = {}
    for depth, roots in ((DEPTH, near), (None, also)):
        for root in roots:
            for folder in _folders(root, depth):
                place = folder.resolve()
                if place in found or place in passed_over:
                    continue
                is_run = (folder / _RUN).is_file()
                found[place] = (
                    _run(folder, wanted, fingerprint) if is_run else _bank(folder, keys)
                )  # fmt: skip
    return [holder for holder in found.values() if holder is not None]


def _folders(root: Path, depth: int | None) -> Iterator[Path]:
    """Banks and runs in a folder and below; nothing is looked for within a bank."""
    entries: list[os.DirEntry[str]] = []
    with contextlib.suppress(OSError):  # one that may not be read holds nothing for this user
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    names = {entry.name for entry in entries}
    if MANIFEST in names:
        yield root
        return
    if _RUN in names:
        yield root
        depth = SCRATCH_DEPTH if depth is not None else None
    if depth == 0:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _folders(root / entry.name, None if depth is None else depth - 1)


def _bank(folder: Path, keys: Keys) -> Holder | None:
    if not is_bank(folder):
        return None
    try:
        n = int(Bank.open(folder).contains_keys(keys).sum())
    except BankError:
        return Holder(folder, is_run=False, n=None)
    return Holder(folder, is_run=False, n=n) if n else None


def _run(folder: Path, wanted: KeyIndex, fingerprint: str) -> Holder | None:
    try:
        said = parse_json(read_file(folder / _RUN))
        refuse_other(said, _SHAPE, "")
    except (OSError, ValueError, MemoryError):
        if not (folder / _OOF).is_file():
            return None  # of another program
        return Holder(folder, is_run=True, n=None, keeps=(*_kept(folder),))
    trained_on = _training_keys(folder, said["texts"])
    if trained_on is None:  # a run of before, which does not keep them
        near = fingerprint in {bank["fingerprint"] for bank in said["banks"]}
        return Holder(folder, is_run=True, n=None, keeps=(*_kept(folder),)) if near else None
    rows = wanted.find(trained_on)
    n = len(np.unique(rows[rows >= 0]))
    return Holder(folder, is_run=True, n=n, keeps=(*_kept(folder),)) if n else None


def _training_keys(folder: Path, texts: Mapping[str, Any]) -> Keys | None:
    """Keys of the texts that a run was trained on, shape ``(n, 32)``; None where it has no list.

    They are the last bytes of their array, and have the hash that ``run.json`` says.
    """
    size = texts["n"] * KEY_SIZE
    if size > LARGEST_TEXT:  # what is packed may be very much larger than its file
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(read_file(folder / _KEYS))) as archive:
            member = archive.getinfo(_KEYS_MEMBER)
            if not size <= member.file_size <= size + _HEADER_SIZE:
                return None
            content = archive.read(member)
    except (*_DAMAGE, OSError):
        return None
    data = content[len(content) - size :]
    if hashlib.sha256(data).hexdigest() != texts["keys"]:
        return None
    return np.frombuffer(data, np.uint8).reshape(-1, KEY_SIZE)


def _kept(folder: Path) -> Iterator[str]:
    """What a run keeps of its training texts, as its files show."""
    models = folder / _MODELS
    with contextlib.suppress(OSError):
        names = [] if models.is_symlink() else sorted(os.listdir(models))
        if any(_keeps_vectors(models / name) for name in names):
            yield "vectors in its models"
    if (folder / _OOF).is_file():
        yield f"a line for each in {_OOF}"
    if (folder / _KEYS).is_file():
        yield f"a key for each in {_KEYS}"
    if reports := [name for name in _REPORTS if (folder / name).is_file()]:
        yield f"quotes in {reports[0]}"


def _keeps_vectors(path: Path) -> bool:
    """Whether a model's file names an array of training rows; archives within it do so as well."""
    with contextlib.suppress(OSError, ValueError):  # an empty file cannot be mapped
        if path.is_symlink():
            return False
        descriptor = open_read(path)
        try:
            with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
                return content.find(_SUPPORT) >= 0
        finally:
            release(descriptor)
    return False
